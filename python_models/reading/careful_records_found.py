"""Records of files that the engine cannot cut. Grain: reading_id, source_line."""

from perennial.reading import store_careful_records


def model(dbt, session):
    files = dbt.ref("int_careful_files").df()

    return store_careful_records(session, files)

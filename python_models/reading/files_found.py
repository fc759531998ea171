"""Every declared raw file, as it lies there now. Grain: source_table, file_path."""

from perennial.reading import files_of_declarations


def model(dbt, session):
    declared = dbt.ref("int_declared_files").df()
    known = dbt.ref("int_known_files").df()

    found = files_of_declarations(declared, known)

    # an empty frame has no types, and pandas no plain date
    return session.from_df(found).project(
        "cast(reading_id as integer) as reading_id,"
        " cast(columns(['source_table', 'source_file', 'file_path', 'file_format',"
        " 'file_sha256', 'header', 'column_types', 'file_status', 'file_fault'])"
        " as varchar),"
        " cast(columns(['bytes_count', 'modified_at_ns', 'lines_count']) as bigint),"
        " cast(columns(['has_header', 'needs_care', 'has_quotes',"
        " 'has_control_characters']) as boolean),"
        " cast(first_read_date as date) as first_read_date"
    )

"""The files of the demo company, made where there are none. Grain: one row."""

from perennial.demo import demo_files


def model(dbt, session):
    asked = dbt.ref("int_demo_settings").df()

    found = demo_files(asked)

    # where there is a fault there are no parameters, and a frame without types
    return session.from_df(found).project(
        "cast(folder as varchar) as folder,"
        " cast(columns(['customers', 'months', 'seed']) as bigint),"
        " cast(shocks as varchar) as shocks,"
        " cast(was_made as boolean) as was_made,"
        " cast(file_fault as varchar) as file_fault"
    )

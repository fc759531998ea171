-- Grain: one row per reading of a file that an earlier run put down.
-- The ledger as the last run left it, with the score date that it ended with.

{{ config(materialized='table') }}

{{ previous('files_read', {
    'reading_id': 'integer',
    'source_table': 'varchar',
    'source_file': 'varchar',
    'file_path': 'varchar',
    'file_format': 'varchar',
    'file_sha256': 'varchar',
    'bytes_count': 'bigint',
    'modified_at_ns': 'bigint',
    'lines_count': 'bigint',
    'header': 'varchar',
    'column_types': 'varchar',
    'has_header': 'boolean',
    'needs_care': 'boolean',
    'has_quotes': 'boolean',
    'has_control_characters': 'boolean',
    'first_read_date': 'date',
    'ledger_number': 'integer',
    'file_status': 'varchar',
}) }}

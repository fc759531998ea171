"""The published marts where people read them: Parquet, CSV, PostgreSQL."""

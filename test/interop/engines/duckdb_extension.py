"""DuckDB's extensions as Python packages have them: the file of an extension need not be fetched when it is first used."""
from duckdb_extensions import import_extension

NAMES = ("avro", "httpfs", "iceberg")


def load_extensions(connection):
    for name in NAMES:
        import_extension(name, con=connection)
        connection.execute(f"LOAD {name}")

import duckdb

from common import SPEC, engine, operation, rows_of, types_of
from duckdb_extension import load_extensions

engine("DuckDB", duckdb.__version__)
connection = duckdb.connect()
load_extensions(connection)


def query(sql, columns):
    return rows_of(connection.execute(sql).to_arrow_table(), columns)


def select(columns):
    return "SELECT " + ", ".join(f'"{name}"' for name in columns)


EVENTS = SPEC["columns"]["events"]


def attach():
    connection.execute(f"ATTACH 'tailwater' AS tw (TYPE iceberg, ENDPOINT '{SPEC['catalog']}', AUTHORIZATION_TYPE 'none')")
    return sorted(name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'tailwater'").fetchall())


def own_table():
    connection.execute("CREATE SCHEMA IF NOT EXISTS tw.duck")
    connection.execute("CREATE TABLE tw.duck.sums (id BIGINT, total DOUBLE)")
    connection.execute("INSERT INTO tw.duck.sums SELECT range, range / 2 FROM range(100)")
    connection.execute("DELETE FROM tw.duck.sums WHERE id >= 90")
    connection.execute("UPDATE tw.duck.sums SET total = 0 WHERE id < 10")
    return [float(value) for value in connection.execute("SELECT count(*), sum(total) FROM tw.duck.sums").fetchone()]


operation("attach and list", attach)
operation("scan", lambda: query(f"{select(EVENTS)} FROM tw.tailwater.events", EVENTS))
operation("types", lambda: types_of(connection.execute(f"{select(EVENTS)} FROM tw.tailwater.events").to_arrow_table(), EVENTS))
operation(
    "filter", lambda: query(f"{select(EVENTS)} FROM tw.tailwater.events WHERE kind = 'köp' AND amount > 100", EVENTS)
)
operation(
    "time travel",
    lambda: query(f"{select(EVENTS)} FROM tw.tailwater.events AT (VERSION => {SPEC['snapshots']['events']})", EVENTS),
)
operation("upserts and deletes", lambda: query(f"{select(SPEC['columns']['users'])} FROM tw.tailwater.users", SPEC["columns"]["users"]))
operation("changes", lambda: query('SELECT "_stream_partition", "_offset" FROM tw.tailwater_changes.users', ["_stream_partition", "_offset"]))
operation(
    "schema evolution",
    lambda: query(f"{select(SPEC['columns']['readings'])} FROM tw.tailwater.readings", SPEC["columns"]["readings"]),
)
operation(
    "without the catalog",
    lambda: query(f"{select(SPEC['columns']['users'])} FROM iceberg_scan('{SPEC['locations']['users']}')", SPEC["columns"]["users"]),
)
operation("write a table of its own", own_table)

import polars as pl

from common import SPEC, engine, operation, rows_of

engine("Polars", pl.__version__)


def scan(name, columns, **options):
    return rows_of(pl.scan_iceberg(SPEC["locations"][name], **options).select(columns).collect().to_arrow(), columns)


EVENTS = SPEC["columns"]["events"]


def filtered():
    frame = pl.scan_iceberg(SPEC["locations"]["events"])
    found = frame.filter((pl.col("kind") == "köp") & (pl.col("amount") > 100)).select(EVENTS).collect()
    return rows_of(found.to_arrow(), EVENTS)


operation("scan", lambda: scan("events", EVENTS))
operation("filter", filtered)
operation("time travel", lambda: scan("events", EVENTS, snapshot_id=SPEC["snapshots"]["events"]))
operation("upserts and deletes", lambda: scan("users", SPEC["columns"]["users"]))
operation("schema evolution", lambda: scan("readings", SPEC["columns"]["readings"]))

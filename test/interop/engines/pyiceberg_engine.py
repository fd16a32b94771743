import pyarrow as pa
import pyiceberg
from pyiceberg.catalog import load_catalog
from pyiceberg.expressions import And, EqualTo, GreaterThan
from pyiceberg.table import StaticTable
from pyiceberg.types import DoubleType, LongType, StringType

from common import SPEC, engine, operation, refusal, rows_of, types_of

engine("PyIceberg", pyiceberg.__version__)
catalog = load_catalog("tailwater", type="rest", uri=SPEC["catalog"])


def scan(name, columns, **options):
    return rows_of(catalog.load_table(name).scan(**options).to_arrow(), columns)


def own_table():
    catalog.create_namespace_if_not_exists("lab")
    schema = pa.schema([("id", pa.int64()), ("city", pa.string())])
    table = catalog.create_table("lab.visits", schema=schema)
    table.append(pa.table({"id": [1, 2, 3], "city": ["Lund", "Kiel", None]}, schema=schema))
    first = table.current_snapshot().snapshot_id
    table.append(pa.table({"id": [4, 5], "city": ["Turku", "Riga"]}, schema=schema))
    table.delete("id = 2")
    table.upsert(pa.table({"id": [1, 6], "city": ["Malmö", "Oslo"]}, schema=schema), join_cols=["id"])
    with table.update_schema() as update:
        update.add_column("stars", DoubleType())
        update.rename_column("city", "town")
    with table.manage_snapshots() as manage:
        manage.create_tag(first, "start")
    with table.transaction() as transaction:
        transaction.set_properties({"owner": "lab"})
    table = catalog.load_table("lab.visits")
    rows = sorted(table.scan().to_arrow().to_pylist(), key=lambda row: row["id"])
    start = table.scan(snapshot_id=table.snapshot_by_name("start").snapshot_id).to_arrow().num_rows
    return {"rows": rows, "start": start, "owner": table.properties["owner"]}


def racing_commits():
    schema = pa.schema([("id", pa.int64())])
    catalog.create_table("lab.raced", schema=schema)
    one, other = catalog.load_table("lab.raced"), catalog.load_table("lab.raced")
    one.append(pa.table({"id": [1]}, schema=schema))
    with one.update_schema() as update:
        update.add_column("note", StringType())

    def stale():
        with other.update_schema() as update:
            update.add_column("size", LongType())

    refused = refusal(stale)
    return {"refused": "CommitFailedException" in refused, "columns": catalog.load_table("lab.raced").schema().column_names}


def administration():
    catalog.rename_table("lab.raced", "lab.renamed")
    listed = sorted(".".join(name) for name in catalog.list_tables("lab"))
    catalog.purge_table("lab.renamed")
    exists = catalog.table_exists("lab.renamed")
    refused = refusal(lambda: catalog.drop_namespace("lab"))
    return {"listed": listed, "exists": exists, "notEmpty": "NamespaceNotEmptyError" in refused}


def refused_append():
    table = catalog.load_table("tailwater.readings")
    refused = refusal(lambda: table.append(table.scan(limit=1).to_arrow()))
    return "CommitFailedException" in refused or refused


EVENTS = SPEC["columns"]["events"]
operation("list", lambda: sorted(".".join(name) for name in catalog.list_tables("tailwater")))
operation("scan", lambda: scan("tailwater.events", EVENTS))
operation("types", lambda: types_of(catalog.load_table("tailwater.events").scan(limit=1).to_arrow(), EVENTS))
operation(
    "filter",
    lambda: scan("tailwater.events", EVENTS, row_filter=And(EqualTo("kind", "köp"), GreaterThan("amount", 100.0))),
)
operation("time filter", lambda: scan("tailwater.events", EVENTS, row_filter=f"_time >= '{SPEC['filterTime']}'"))
operation("time travel", lambda: scan("tailwater.events", EVENTS, snapshot_id=SPEC["snapshots"]["events"]))
operation("upserts and deletes", lambda: scan("tailwater.users", SPEC["columns"]["users"]))
operation("changes", lambda: scan("tailwater_changes.users", ["_stream_partition", "_offset"]))
operation("schema evolution", lambda: scan("tailwater.readings", SPEC["columns"]["readings"]))
operation(
    "without the catalog",
    lambda: rows_of(StaticTable.from_metadata(SPEC["locations"]["users"]).scan().to_arrow(), SPEC["columns"]["users"]),
)
operation("append to a stream's table", refused_append)
operation("write a table of its own", own_table)
operation("racing commits", racing_commits)
operation("rename and drop", administration)

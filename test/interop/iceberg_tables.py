"""Compares an Iceberg table as pyiceberg reads it with what Tailwater read: python iceberg_tables.py <folder>.

The folder is one that test/interop/iceberg-sample.ts made: tables, and expected.json beside them.
"""

import json
import sys

from pyiceberg.conversions import from_bytes
from pyiceberg.expressions.parser import parse
from pyiceberg.expressions.visitors import inclusive_projection, manifest_evaluator
from pyiceberg.table import StaticTable

folder = sys.argv[1]
with open(f"{folder}/expected.json") as file:
    expected = json.load(file)


def opened(kind):
    version = expected["versions"][kind]
    return StaticTable.from_metadata(f"{folder}/{expected['incarnation']}/{kind}/metadata/v{version}.metadata.json")


rows = opened("rows")
found = {row["_seq"]: row for row in rows.scan().to_arrow().to_pylist()}
assert sorted(found) == sorted(row["seq"] for row in expected["rows"])
for row in expected["rows"]:
    own = found[row["seq"]]
    assert own["_key"] == row["key"].encode() and own["_key_text"] == row["key"], own
    assert round(own["_time"].timestamp() * 1000) == row["timeMs"], own
    for name in ("id", "text", "price", "flag"):
        assert own[name] == row["value"].get(name), (name, own, row)

for filter, keep in {
    "price > 20 and price < 30": lambda value: 20 < value.get("price", 0) < 30,
    "id == 'k20'": lambda value: value["id"] == "k20",
    "price == 0.5": lambda value: value.get("price") == 0.5,
}.items():
    seqs = sorted(row["_seq"] for row in rows.scan(row_filter=filter).to_arrow().to_pylist())
    assert seqs == sorted(row["seq"] for row in expected["rows"] if keep(row["value"])), filter
planned = len(list(rows.scan(row_filter="id == 'k20'").plan_files()))
total = len(list(rows.scan().plan_files()))
assert planned < total, "the partitions prune nothing"

# What the manifest list says of the partitions of each manifest is what its entries say.
spec, schema = rows.spec(), rows.schema()
types = [field.field_type for field in spec.partition_type(schema).fields]
manifests = rows.current_snapshot().manifests(rows.io)
for manifest in manifests:
    entries = manifest.fetch_manifest_entry(rows.io, discard_deleted=False)
    assert len(manifest.partitions) == len(types), manifest
    for at, (kind, summary) in enumerate(zip(types, manifest.partitions)):
        values = [entry.data_file.partition[at] for entry in entries]
        known = [value for value in values if value is not None]
        bounds = [None if bound is None else from_bytes(kind, bound) for bound in (summary.lower_bound, summary.upper_bound)]
        assert bounds == ([min(known), max(known)] if known else [None, None]), (summary, values)
        assert summary.contains_null == (len(known) < len(values)), (summary, values)
newest = max(row["_time"] for row in found.values()).isoformat()
of_partitions = inclusive_projection(schema, spec)(parse(f"_time >= '{newest}'"))
may_match = manifest_evaluator(spec, schema, of_partitions)
read = [manifest for manifest in manifests if may_match(manifest)]
assert len(read) < len(manifests), "the summaries leave out no manifest"

counts = [len(rows.scan(snapshot_id=snapshot.snapshot_id).to_arrow()) for snapshot in rows.snapshots()]
assert counts == expected["rowCounts"], counts
assert len(opened("changes").scan().to_arrow()) == expected["changeCount"]
print(f"pyiceberg agrees: {len(found)} rows, snapshots {counts}, {planned} of {total} files planned for one key")

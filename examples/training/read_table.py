"""Reads the table of a stream with the library of its format, from the files where they lie: PyIceberg or pylance.

Nothing goes through the server but the question where the table is. Of a tag, the rows are those that a scan of the same tag gives.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Iterator

import pyarrow as pa

from content_hash import ContentHash, content_name
from read_scan import DEFAULT_URL, TIMEOUT_S, ScanError, problem_text

# The namespace of the tables of streams in the catalog.
NAMESPACE = "tailwater"


def get_json(address: str) -> Any:
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise ScanError(problem_text(error)) from None


def datasets_of(url: str, stream: str, tag: str | None) -> dict[str, Any]:
    """Where the rows of a tag are, or without one those of the last compaction: `format`, and `path` and `version` of `rows`."""
    address = f"{url}/v1/streams/{urllib.parse.quote(stream, safe='')}"
    if tag is None:
        datasets = get_json(f"{address}/table")["datasets"]
        if datasets is None:
            raise ScanError(f"{stream} has no table yet: npx tailwater compact {stream}")
        return datasets
    for each in get_json(f"{address}/tags")["tags"]:
        if each["name"] == tag:
            return each["datasets"]
    raise ScanError(f"{stream} has no tag {tag}: npx tailwater tag create {stream} {tag}")


def iceberg_batches(url: str, stream: str, rows: dict[str, Any], columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    """The snapshot that the metadata file of these rows names, out of the table as the REST catalog has it."""
    from pyiceberg.catalog import load_catalog
    from pyiceberg.table import StaticTable

    pinned = StaticTable.from_metadata(rows["path"])
    snapshot_id = pinned.current_snapshot().snapshot_id
    table = load_catalog("tailwater", type="rest", uri=f"{url}/iceberg").load_table((NAMESPACE, stream))
    if table.snapshot_by_id(snapshot_id) is None:
        table = pinned  # a tag outlives the history that the table lists
    names = wanted(table.scan(snapshot_id=snapshot_id).projection().column_names, columns)
    yield from table.scan(snapshot_id=snapshot_id, selected_fields=tuple(names)).to_arrow_batch_reader()


def lance_batches(rows: dict[str, Any], columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    import lance

    dataset = lance.dataset(rows["path"], version=rows["version"])
    yield from dataset.to_batches(columns=wanted(dataset.schema.names, columns))


def wanted(names: list[str], columns: list[str] | None) -> list[str]:
    """The columns of the table to read, by the names that a scan has for them. Default: all that count for the hash."""
    known = {content_name(name): name for name in names if content_name(name) is not None}
    if columns is None:
        return list(known.values())
    missing = [name for name in columns if name not in known]
    if missing:
        raise ScanError(f"The table has no column {', '.join(missing)}. It has {', '.join(known)}.")
    return [known[name] for name in dict.fromkeys([*columns, "_seq"])]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stream")
    parser.add_argument("--url", default=DEFAULT_URL, help="of the server; default %(default)s")
    parser.add_argument("--tag", help="the instant to read; default: the last compaction")
    parser.add_argument("--columns", type=lambda text: text.split(","), help="names with commas between them; default: all")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    datasets = datasets_of(options.url, options.stream, options.tag)
    if datasets["format"] == "lance":
        batches = lance_batches(datasets["rows"], options.columns)
    else:
        batches = iceberg_batches(options.url, options.stream, datasets["rows"], options.columns)
    content = ContentHash()
    for batch in batches:
        content.add(batch)
    print(json.dumps({"rows": content.rows, "hash": str(content), "format": datasets["format"]}))


if __name__ == "__main__":
    try:
        main()
    except ScanError as error:
        sys.exit(str(error))

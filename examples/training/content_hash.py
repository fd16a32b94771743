"""A hash of what rows hold, whatever their order and their batches: equal hashes of two readers mean equal rows.

As a command it adds up the hashes of parts: those of the shards of a scan come to that of the whole.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

HASH_BYTES = 16

# What Tailwater adds to the columns of the values, as far as every reader gets it alike (docs/FORMATS.md has them all).
SYSTEM_COLUMNS = ("_partition", "_offset", "_seq", "_key_text", "_time", "_ingested_at")

# Iceberg keeps the name _partition for itself.
NAMES_IN_ICEBERG = {"_stream_partition": "_partition"}


@dataclass
class ContentHash:
    """The sum, modulo 2^128, of a hash of each row."""

    total: int = 0
    rows: int = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Adds the rows of a batch: values, places, keys and times. Other columns that begin with an underscore are left out."""
        places = {content_name(name): place for place, name in enumerate(batch.schema.names) if content_name(name) is not None}
        names = sorted(places)
        for values in zip(*(json_values(batch.column(places[name])) for name in names)):
            row = json.dumps(dict(zip(names, values)), separators=(",", ":")).encode()
            self.total += int.from_bytes(hashlib.blake2b(row, digest_size=HASH_BYTES).digest(), "big")
        self.total %= 1 << 8 * HASH_BYTES
        self.rows += batch.num_rows

    def __str__(self) -> str:
        return f"{self.total:0{2 * HASH_BYTES}x}"


def content_name(column: str) -> str | None:
    """What a column is called in the hash; None for one that does not count."""
    name = NAMES_IN_ICEBERG.get(column, column)
    return name if name in SYSTEM_COLUMNS or not name.startswith("_") else None


def json_values(column: pa.Array) -> list[Any]:
    """The values of a column as JSON can hold them; times as microseconds since 1970."""
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()).to_pylist()
    return column.to_pylist()


def main() -> None:
    parser = argparse.ArgumentParser(description="Adds up what read_scan.py printed of the shards of a scan, a line each, read from a pipe.")
    parser.parse_args()
    parts = [json.loads(line) for line in sys.stdin if line.strip()]
    total = sum(int(part["hash"], 16) for part in parts) % (1 << 8 * HASH_BYTES)
    whole = ContentHash(total, sum(part["rows"] for part in parts))
    print(json.dumps({"rows": whole.rows, "hash": str(whole)}))


if __name__ == "__main__":
    main()

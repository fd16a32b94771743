"""Reads all rows of a stream at one instant over HTTP, in Arrow record batches, for training.

The rows come in the order of the log, from table and tail together. The answer's token names the instant: with it and the `_seq` of the last row
that was read, a scan goes on where it stopped, on this or another machine, and gives the same batches as if it never had.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator

import pyarrow as pa

from content_hash import ContentHash

DEFAULT_URL = "http://127.0.0.1:8787"
TIMEOUT_S = 60
MAX_ATTEMPTS = 5
# Too many requests, and a node that restarts: worth another attempt.
TRANSIENT_STATUS = (429, 503)


@dataclass(frozen=True)
class Position:
    """Where a scan is. None: at the newest instant. -1: before the first row."""

    as_of: str | None = None
    after_seq: int = -1


class ScanError(Exception):
    """What the server said is wrong, and what to do about it."""


class ScanReader:
    """Iterates over the record batches of a scan; a connection that breaks is made again, and goes on after the last batch.

    `columns`: default all; `_seq` is always among them. `filter`: the filter language of queries. `shard`: "i/n", the i-th (from 0) of n
    disjoint parts, the same rows for ever. `position`: where to begin; `position` afterwards is where to go on after the batch that was
    given last. Raises ScanError, and OSError or http.client.HTTPException when five attempts in a row gave nothing.
    """

    def __init__(
        self,
        url: str,
        stream: str,
        columns: list[str] | None = None,
        filter: dict[str, Any] | None = None,
        shard: str | None = None,
        position: Position = Position(),
    ) -> None:
        self.position = position
        self._address = f"{url}/v1/streams/{urllib.parse.quote(stream, safe='')}/scan"
        self._query: dict[str, str] = {"format": "arrow"}
        if columns is not None:
            self._query["columns"] = ",".join(columns if "_seq" in columns else [*columns, "_seq"])
        if filter is not None:
            self._query["filter"] = json.dumps(filter)
        if shard is not None:
            self._query["shard"] = shard

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        attempt = 1
        while True:
            try:
                for batch in self._connection():
                    self.position = Position(self.position.as_of, batch.column("_seq")[-1].as_py())
                    attempt = 1
                    yield batch
                return
            except (OSError, http.client.HTTPException):
                if attempt == MAX_ATTEMPTS:
                    raise
                time.sleep(2**attempt / 4)
                attempt += 1

    def _connection(self) -> Iterator[pa.RecordBatch]:
        """The batches of one answer. A body that is cut off raises: it is never taken for a whole one."""
        with self._open() as answer:
            # From here on, whatever is written to the stream and compacted, the scan is of this instant.
            self.position = Position(answer.headers["Tailwater-Token"], self.position.after_seq)
            with pa.ipc.open_stream(answer) as batches:
                yield from batches
            answer.read()

    def _open(self) -> http.client.HTTPResponse:
        query = dict(self._query)
        if self.position.as_of is not None:
            query["asOf"] = self.position.as_of
        if self.position.after_seq >= 0:
            query["afterSeq"] = str(self.position.after_seq)
        try:
            return urllib.request.urlopen(f"{self._address}?{urllib.parse.urlencode(query)}", timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            if error.code in TRANSIENT_STATUS:
                raise
            raise ScanError(problem_text(error)) from None


def problem_text(error: urllib.error.HTTPError) -> str:
    """The problem document of an answer (RFC 9457) in one line."""
    try:
        problem = json.load(error)
        return f"{problem['code']}: {problem['detail']} {problem['action']}"
    except (ValueError, KeyError):
        return str(error)


class PositionFile:
    """Position, rows and hash so far of one scan, in a file that is replaced as a whole, so that a process that dies leaves one that is right."""

    def __init__(self, path: Path, scan: dict[str, Any]) -> None:
        self._path = path
        self._scan = scan

    def load(self) -> tuple[Position, ContentHash] | None:
        """None when there is no file yet."""
        if not self._path.exists():
            return None
        saved = json.loads(self._path.read_text())
        if saved["scan"] != self._scan:
            raise ScanError(f"{self._path} is of another scan: {json.dumps(saved['scan'])}")
        return Position(saved["asOf"], saved["afterSeq"]), ContentHash(int(saved["hash"], 16), saved["rows"])

    def save(self, position: Position, content: ContentHash) -> None:
        saved = {
            "scan": self._scan,
            "asOf": position.as_of,
            "afterSeq": position.after_seq,
            "rows": content.rows,
            "hash": str(content),
        }
        unfinished = self._path.with_name(f"{self._path.name}.part")
        unfinished.write_text(json.dumps(saved))
        os.replace(unfinished, self._path)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stream")
    parser.add_argument("--url", default=DEFAULT_URL, help="of the server; default %(default)s")
    parser.add_argument("--as-of", help="a tag (tag:NAME), a token or an ISO 8601 time; default: now")
    parser.add_argument("--columns", type=lambda text: text.split(","), help="names with commas between them; default: all")
    parser.add_argument("--filter", type=json.loads, help='only rows that match, such as \'{"kind": "view"}\'')
    parser.add_argument("--shard", help="i/n: the i-th (from 0) of n disjoint parts")
    parser.add_argument("--position", type=Path, help="a file that keeps the position; if it exists, the scan goes on from there")
    parser.add_argument("--max-batches", type=int, help="stop after so many batches")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    scan = {name: getattr(options, name) for name in ("stream", "as_of", "columns", "filter", "shard")}
    file = PositionFile(options.position, scan) if options.position else None
    position, content = (file.load() if file else None) or (Position(options.as_of), ContentHash())
    reader = ScanReader(options.url, options.stream, options.columns, options.filter, options.shard, position)
    is_whole = True
    for count, batch in enumerate(reader, 1):
        content.add(batch)  # here a model would learn from the batch
        if file:
            file.save(reader.position, content)
        if count == options.max_batches:
            is_whole = False
            break
    result = {"rows": content.rows, "hash": str(content), "whole": is_whole, "asOf": reader.position.as_of}
    print(json.dumps(result))


if __name__ == "__main__":
    try:
        main()
    except ScanError as error:
        sys.exit(str(error))

import json
import os

import chdb

from common import SPEC, engine, operation

engine("ClickHouse (chdb)", chdb.__version__ if isinstance(chdb.__version__, str) else ".".join(map(str, chdb.__version__)))

# ClickHouse reads files below the folder it runs in.
os.chdir("/")


def query(table, columns, where=""):
    folder = SPEC["folders"][table]
    shown = ", ".join(f"toUnixTimestamp64Micro(`{name}`) AS `{name}`" if name == "_time" else f"`{name}`" for name in columns)
    settings = "SETTINGS output_format_json_quote_64bit_integers = 0"
    text = str(chdb.query(f"SELECT {shown} FROM icebergLocal('{folder}') {where} {settings}", "JSONEachRow"))
    rows = [json.loads(line) for line in text.splitlines()]
    return [{name: row[name] for name in columns} for row in rows]


EVENTS = SPEC["columns"]["events"]
operation("scan", lambda: query("events", EVENTS))
operation("filter", lambda: query("events", EVENTS, "WHERE kind = 'köp' AND amount > 100"))
operation("upserts and deletes", lambda: query("users", SPEC["columns"]["users"]))
operation("schema evolution", lambda: query("readings", SPEC["columns"]["readings"]))

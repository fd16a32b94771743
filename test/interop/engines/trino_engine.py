import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from common import SPEC, engine, operation, refusal

TRINO = SPEC["trino"]
START_S = 180


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A Trino of one node, with the catalog of the guide."""

    def __init__(self, folder):
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        config = folder / "etc" / "config.properties"
        write(
            config,
            [
                "coordinator=true",
                "node-scheduler.include-coordinator=true",
                "node.internal-address=127.0.0.1",
                f"http-server.http.port={port}",
                f"discovery.uri={self.address}",
                f"plugin.dir={TRINO['home']}/plugin",
                f"catalog.config-dir={folder}/etc/catalog",
                "query.max-memory-per-node=256MB",
            ],
        )
        write(folder / "etc" / "catalog" / "tw.properties", TRINO["catalog"].splitlines())
        # One core for its compilers and collector: its queries are small.
        java = [TRINO["java"], "-Xmx1200m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "--add-modules=jdk.incubator.vector"]
        node = ["-Dnode.environment=interop", f"-Dnode.data-dir={folder}/data", f"-Dconfig={config}"]
        main = ["-cp", f"{TRINO['home']}/lib/*", "io.trino.server.TrinoServer"]
        environment = {name: value for name, value in os.environ.items() if name != "JDK_JAVA_OPTIONS"}
        self.log = open(folder / "server.log", "w+")
        self.process = subprocess.Popen([*java, *node, *main], cwd=folder, env=environment, stdout=self.log, stderr=self.log)
        self.await_start()

    def await_start(self):
        for _ in range(START_S):
            if self.process.poll() is not None:
                self.log.seek(0)
                raise RuntimeError(f"Trino ended: {self.log.read()[-1500:]}")
            try:
                self.query("SELECT 1")
                return
            except (OSError, RuntimeError):
                time.sleep(1)
        raise RuntimeError(f"Trino did not start in {START_S} s.")

    def query(self, sql):
        """Rows as lists. Trino gives them page by page."""
        headers = {"X-Trino-User": "interop", "X-Trino-Time-Zone": "UTC"}
        request = urllib.request.Request(f"{self.address}/v1/statement", data=sql.encode(), headers=headers)
        rows = []
        while True:
            with urllib.request.urlopen(request) as answer:
                page = json.load(answer)
            rows += page.get("data", [])
            if "error" in page:
                raise RuntimeError(page["error"]["message"])
            if "nextUri" not in page:
                return rows
            request = page["nextUri"]

    def stop(self):
        self.process.terminate()
        self.process.wait()


def rows(sql, columns):
    shown = ", ".join('CAST(round(to_unixtime("_time") * 1e6) AS bigint)' if name == "_time" else f'"{name}"' for name in columns)
    return [dict(zip(columns, row)) for row in trino.query(f"SELECT {shown} {sql}")]


def types():
    names = {
        "bigint": "int64",
        "integer": "int32",
        "boolean": "bool",
        "varchar": "string",
        "timestamp(6) with time zone": "timestamp[us, tz=UTC]",
    }
    found = {name: names.get(kind, kind) for name, kind, *_ in trino.query("DESCRIBE tw.tailwater.events")}
    return {name: found[name] for name in EVENTS}


def own_table():
    """Trino wants the folder of a table that it creates to be empty, or to choose it: the catalog, which does both, is asked directly."""
    trino.query("CREATE SCHEMA tw.trino")
    fields = [{"id": at, "name": name, "type": kind, "required": False} for at, (name, kind) in enumerate(ORDERS.items(), 1)]
    partition = {"spec-id": 0, "fields": [{"source-id": 2, "field-id": 1000, "name": "country", "transform": "identity"}]}
    table = {"name": "orders", "schema": {"type": "struct", "schema-id": 0, "fields": fields}, "partition-spec": partition}
    address = f"{SPEC['catalog']}/v1/namespaces/trino/tables"
    headers = {"content-type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(address, data=json.dumps(table).encode(), headers=headers)).close()
    for start in (0, 100):
        trino.query(
            f"INSERT INTO tw.trino.orders SELECT n, IF(n % 2 = 0, 'se', 'de'), n / 2e0 FROM UNNEST(sequence({start}, {start + 99})) AS t (n)"
        )
    trino.query("DELETE FROM tw.trino.orders WHERE id < 10")
    trino.query("UPDATE tw.trino.orders SET total = 0 WHERE id >= 190")
    trino.query("ALTER TABLE tw.trino.orders ADD COLUMN note VARCHAR")
    trino.query(
        "MERGE INTO tw.trino.orders o USING (VALUES 5000, 50) AS n (id) ON o.id = n.id "
        "WHEN MATCHED THEN UPDATE SET note = 'seen' WHEN NOT MATCHED THEN INSERT (id, country, total, note) VALUES (n.id, 'fi', 1, 'new')"
    )
    return trino.query("SELECT count(*), sum(total), count(note) FROM tw.trino.orders")[0]


def optimize():
    before = trino.query('SELECT count(*) FROM tw.trino."orders$files"')[0][0]
    trino.query("ALTER TABLE tw.trino.orders EXECUTE optimize")
    after = trino.query('SELECT count(*) FROM tw.trino."orders$files"')[0][0]
    return {"fewerFiles": after < before, "rows": trino.query("SELECT count(*) FROM tw.trino.orders")[0][0]}


def administration():
    trino.query("ALTER TABLE tw.trino.orders RENAME TO tw.trino.moved")
    trino.query("DROP TABLE tw.trino.moved")
    return sorted(name for (name,) in trino.query("SHOW TABLES FROM tw.trino"))


def refused():
    text = refusal(lambda: trino.query("INSERT INTO tw.tailwater.readings SELECT * FROM tw.tailwater.readings"))
    return "which Tailwater alone writes" in text or text


engine("Trino", TRINO["version"])
EVENTS = SPEC["columns"]["events"]
ORDERS = {"id": "long", "country": "string", "total": "double"}
with tempfile.TemporaryDirectory() as folder:
    trino = Server(Path(folder))
    try:
        operation("list", lambda: sorted(name for (name,) in trino.query("SHOW TABLES FROM tw.tailwater")))
        operation("scan", lambda: rows("FROM tw.tailwater.events", EVENTS))
        operation("types", types)
        operation("filter", lambda: rows("FROM tw.tailwater.events WHERE kind = 'köp' AND amount > 100", EVENTS))
        operation("time filter", lambda: rows(f"FROM tw.tailwater.events WHERE _time >= from_iso8601_timestamp('{SPEC['filterTime']}')", EVENTS))
        operation("time travel", lambda: rows(f"FROM tw.tailwater.events FOR VERSION AS OF {SPEC['snapshots']['events']}", EVENTS))
        operation("upserts and deletes", lambda: rows("FROM tw.tailwater.users", SPEC["columns"]["users"]))
        operation("changes", lambda: rows("FROM tw.tailwater_changes.users", ["_stream_partition", "_offset"]))
        operation("schema evolution", lambda: rows("FROM tw.tailwater.readings", SPEC["columns"]["readings"]))
        operation("append to a stream's table", refused)
        operation("write a table that another client created", own_table)
        operation("optimize", optimize)
        operation("rename and drop", administration)
    finally:
        trino.stop()

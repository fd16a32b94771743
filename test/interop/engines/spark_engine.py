import pyspark
from pyspark.sql import SparkSession

from common import SPEC, engine, operation, plain, refusal

engine("Spark", f"{pyspark.__version__}, iceberg-spark-runtime {SPEC['icebergVersion']}")
spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.jars", SPEC["icebergJar"])
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
    .config("spark.sql.catalog.tw", "org.apache.iceberg.spark.SparkCatalog")
    .config("spark.sql.catalog.tw.type", "rest")
    .config("spark.sql.catalog.tw.uri", SPEC["catalog"])
    .getOrCreate()
)
spark.sparkContext.setLogLevel("OFF")


def query(sql, columns):
    shown = ", ".join(f"unix_micros({name}) AS {name}" if name == "_time" else f"`{name}`" for name in columns)
    found = spark.sql(f"SELECT {shown} {sql}").collect()
    return [{name: plain(row[name]) for name in columns} for row in found]


EVENTS = SPEC["columns"]["events"]


def own_table():
    spark.sql("CREATE NAMESPACE IF NOT EXISTS tw.spark")
    spark.sql("CREATE TABLE tw.spark.orders (id BIGINT, country STRING, total DOUBLE) USING iceberg PARTITIONED BY (country)")
    for start in (0, 100, 200):
        spark.sql(f"INSERT INTO tw.spark.orders SELECT id, IF(id % 2 = 0, 'se', 'de'), id / 2 FROM range({start}, {start + 100})")
    spark.sql("DELETE FROM tw.spark.orders WHERE id < 10")
    spark.sql("UPDATE tw.spark.orders SET total = 0 WHERE id >= 290")
    spark.sql("ALTER TABLE tw.spark.orders ADD COLUMN note STRING")
    spark.sql(
        "MERGE INTO tw.spark.orders o USING (SELECT 5000L AS id UNION SELECT 50L) n ON o.id = n.id "
        "WHEN MATCHED THEN UPDATE SET note = 'seen' WHEN NOT MATCHED THEN INSERT (id, country, total, note) VALUES (n.id, 'fi', 1, 'new')"
    )
    count, total, notes = spark.sql("SELECT count(*), sum(total), count(note) FROM tw.spark.orders").collect()[0]
    return [count, total, notes]


def as_select():
    spark.sql("CREATE TABLE tw.spark.copies USING iceberg AS SELECT id, kind FROM tw.tailwater.events")
    spark.sql("CREATE OR REPLACE TABLE tw.spark.copies USING iceberg AS SELECT id FROM tw.tailwater.events WHERE id < 100")
    return spark.sql("SELECT count(*) FROM tw.spark.copies").collect()[0][0]


def rewrite():
    before = spark.sql("SELECT count(*) FROM tw.spark.orders.files").collect()[0][0]
    spark.sql("CALL tw.system.rewrite_data_files(table => 'spark.orders', options => map('min-input-files', '1', 'rewrite-all', 'true'))")
    spark.sql("CALL tw.system.expire_snapshots(table => 'spark.orders', older_than => TIMESTAMP '2100-01-01 00:00:00', retain_last => 1)")
    after = spark.sql("SELECT count(*) FROM tw.spark.orders.files").collect()[0][0]
    snapshots = spark.sql("SELECT count(*) FROM tw.spark.orders.snapshots").collect()[0][0]
    rows = spark.sql("SELECT count(*) FROM tw.spark.orders").collect()[0][0]
    return {"fewerFiles": after < before, "snapshots": snapshots, "rows": rows}


def rewrite_stream(name, namespace="tailwater"):
    """Writes the files of a stream's table anew: the same rows and offsets, in no more files, at a snapshot that says so."""
    table = f"tw.{namespace}.{name}"

    def rows():
        return [row.asDict() for row in spark.sql(f"SELECT * FROM {table} ORDER BY _stream_partition, _offset").collect()]

    def files():
        return {row.file_path for row in spark.sql(f"SELECT file_path FROM {table}.files").collect()}

    before, files_before = rows(), files()
    spark.sql(f"CALL tw.system.rewrite_data_files(table => '{namespace}.{name}', options => map('rewrite-all', 'true', 'min-input-files', '1'))")
    spark.sql(f"REFRESH TABLE {table}")
    after = files()
    last = spark.sql(f"SELECT operation, summary FROM {table}.snapshots ORDER BY committed_at DESC LIMIT 1").collect()[0]
    return {
        "sameRows": rows() == before,
        "noMoreFiles": len(after) <= len(files_before),
        "otherFiles": not after & files_before,
        "operation": last.operation,
        "watermark": "tailwater.watermark" in last.summary,
    }


def rewrite_streams():
    tables = [("events", "tailwater"), ("users", "tailwater"), ("readings", "tailwater"), ("users", "tailwater_changes")]
    return [rewrite_stream(name, namespace) for name, namespace in tables]


def administration():
    spark.sql("ALTER TABLE tw.spark.copies RENAME TO spark.moved")
    spark.sql("DROP TABLE tw.spark.moved PURGE")
    return sorted(row.tableName for row in spark.sql("SHOW TABLES IN tw.spark").collect())


def refused():
    text = refusal(lambda: spark.sql("INSERT INTO tw.tailwater.readings SELECT * FROM tw.tailwater.readings"))
    return "which Tailwater alone writes" in text or text


def types():
    names = {"bigint": "int64", "int": "int32", "boolean": "bool", "timestamp": "timestamp[us, tz=UTC]"}
    found = dict(spark.table("tw.tailwater.events").dtypes)
    return {name: names.get(found[name], found[name]) for name in EVENTS}


operation("list", lambda: sorted(row.tableName for row in spark.sql("SHOW TABLES IN tw.tailwater").collect()))
operation("scan", lambda: query("FROM tw.tailwater.events", EVENTS))
operation("types", types)
operation("filter", lambda: query("FROM tw.tailwater.events WHERE kind = 'köp' AND amount > 100", EVENTS))
operation("time filter", lambda: query(f"FROM tw.tailwater.events WHERE _time >= TIMESTAMP '{SPEC['filterTime']}'", EVENTS))
operation("time travel", lambda: query(f"FROM tw.tailwater.events VERSION AS OF {SPEC['snapshots']['events']}", EVENTS))
operation("upserts and deletes", lambda: query("FROM tw.tailwater.users", SPEC["columns"]["users"]))
operation("changes", lambda: query("FROM tw.tailwater_changes.users", ["_stream_partition", "_offset"]))
operation("schema evolution", lambda: query("FROM tw.tailwater.readings", SPEC["columns"]["readings"]))
operation("append to a stream's table", refused)
operation("write a table of its own", own_table)
operation("create table as select", as_select)
operation("rewrite_data_files and expire_snapshots", rewrite)
operation("rewrite_data_files of streams' tables", rewrite_streams)
operation("scan after the rewrite", lambda: query("FROM tw.tailwater.events", EVENTS))
operation("rename and drop", administration)
spark.stop()

"""Online reads of Feast from a local store: feast_online.py {sqlite|redis} FOLDER CALLS; prints one line of JSON."""

import json
import sys
import time
from datetime import datetime, timedelta, timezone

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Float64, String

ENTITIES = 1000
TEXTS = {"last", "count_distinct", "top_k"}
KINDS = ["count", "sum", "avg", "min", "max", "stddev", "last", "count_distinct", "top_k"]


def frame(count):
    """Values of the bench's features, computed before: Feast only serves them."""
    now = datetime.now(timezone.utc)
    rows = {"user": [f"u{n}" for n in range(ENTITIES)], "at": [now] * ENTITIES}
    for feature in range(count):
        text = KINDS[feature % len(KINDS)] in TEXTS
        rows[f"f{feature}"] = [f"page{n % 40}" if text else float(n * feature) for n in range(ENTITIES)]
    return pd.DataFrame(rows)


def view(folder, name, user, count):
    data = frame(count)
    path = f"{folder}/{name}.parquet"
    data.to_parquet(path)
    schema = [Field(name=column, dtype=Float64 if data[column].dtype == "float64" else String) for column in data.columns[2:]]
    source = FileSource(path=path, timestamp_field="at")
    return data, FeatureView(name=name, entities=[user], ttl=timedelta(days=30), schema=schema, source=source)


def latencies(store, name, features, entities, calls):
    names = [f"{name}:f{feature}" for feature in range(features)]
    times = []
    cpu = time.process_time()
    for call in range(calls):
        rows = [{"user": f"u{(call * entities + at) % ENTITIES}"} for at in range(entities)]
        started = time.perf_counter()
        store.get_online_features(features=names, entity_rows=rows).to_dict()
        times.append((time.perf_counter() - started) * 1000)
    cpu = (time.process_time() - cpu) * 1000 / calls
    times.sort()
    return {"p50": times[len(times) // 2], "p99": times[min(len(times) - 1, int(len(times) * 0.99))], "cpuMs": cpu}


def main():
    kind, folder, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
    online = {"type": "sqlite", "path": f"{folder}/online.db"}
    if kind == "redis":
        online = {"type": "redis", "connection_string": sys.argv[4]}
    store = FeatureStore(
        config=RepoConfig(project="bench", provider="local", registry=f"{folder}/registry.db", online_store=online, entity_key_serialization_version=3)
    )
    user = Entity(name="user", join_keys=["user"])
    views = [view(folder, "twenty", user, 20), view(folder, "fifty", user, 50)]
    store.apply([user, *(made for _, made in views)])
    for data, made in views:
        store.write_to_online_store(made.name, data)
    print(json.dumps({"one": latencies(store, "twenty", 20, 1, calls), "hundred": latencies(store, "fifty", 50, 100, max(20, calls // 10))}))


main()

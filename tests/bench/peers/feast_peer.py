"""Feast's own figures for the work of our benches; run by the interpreter of `.venv-bench`, prints one JSON object.

    feast_peer.py online ENTITIES           reads and single durable writes, SQLite online store
    feast_peer.py serve PORT ENTITIES       its feature server, until it is stopped
    feast_peer.py pit DIR ENGINE            point-in-time join of DIR/spine.parquet with DIR/<feature>.parquet

It knows nothing of ours but the shape of the data: nine features of one entity.
"""

import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

os.environ["FEAST_USAGE"] = "False"  # before the import: it would call home

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64

NAMES = [f"f{number}" for number in range(9)]
AT = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 10_000


def main() -> None:
    """Do what the arguments ask."""
    work, *given = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(WORK[work](Path(directory), *given)), flush=True)


def online(directory: Path, entities: str) -> dict[str, float]:
    """Return microseconds of reads at p50, and of a single write."""
    store, count = _filled(directory, int(entities)), int(entities)
    features = [f"view:{name}" for name in NAMES]
    ids = [f"e{number * 7919 % count}" for number in range(2000)]
    hundreds = [[f"e{(start + number * 7919) % count}" for number in range(100)] for start in range(40)]
    return {
        "one_us": _p50_us(lambda one: store.get_online_features(features, [{"thing": one}]).to_dict(), ids),
        "hundred_us": _p50_us(
            lambda many: store.get_online_features(features, [{"thing": one} for one in many]).to_dict(), hundreds
        ),
        "write_us": _p50_us(lambda one: store.write_to_online_store("view", _rows([one])), ids[:100]),
    }


def serve(directory: Path, port: str, entities: str) -> dict[str, float]:
    """Serve `POST /get-online-features` until stopped."""
    import uvicorn
    from feast.feature_server import get_app

    app = get_app(_filled(directory, int(entities)))
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error", access_log=False)
    return {}


def pit(directory: Path, data: str, engine: str) -> dict[str, float]:
    """Return seconds, rows and present values of one historical read, and the peak memory of this process."""
    files = sorted(path for path in Path(data).glob("*.parquet") if path.stem != "spine")
    entity = Entity(name="thing", join_keys=["entity"], value_type=ValueType.STRING)
    views = [_view(path.stem, entity, path, [path.stem]) for path in files]
    store = FeatureStore(config=_config(directory, {"type": engine}))
    store.apply([entity, *views])
    spine = pd.read_parquet(Path(data) / "spine.parquet")
    start = time.perf_counter()
    table = store.get_historical_features(spine, [f"{path.stem}:{path.stem}" for path in files]).to_arrow()
    took = time.perf_counter() - start
    present = sum(table.num_rows - table.column(path.stem).null_count for path in files)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": took, "rows": table.num_rows, "present": present, "peak_mb": peak}


def _config(directory: Path, offline: dict[str, Any]) -> RepoConfig:
    return RepoConfig(
        project="bench",
        provider="local",
        registry=str(directory / "registry.db"),
        online_store={"type": "sqlite", "path": str(directory / "online.db")},
        offline_store=offline,
        entity_key_serialization_version=3,
    )


def _view(name: str, entity: Entity, path: Path, names: list[str]) -> FeatureView:
    source = FileSource(path=str(path), timestamp_field="event_timestamp", created_timestamp_column="created")
    schema = [Field(name=feature, dtype=Float64) for feature in names]
    return FeatureView(name=name, entities=[entity], ttl=timedelta(days=36500), schema=schema, source=source)


def _filled(directory: Path, entities: int) -> FeatureStore:
    """Return a store in which each of so many entities has nine values."""
    entity = Entity(name="thing", join_keys=["thing"], value_type=ValueType.STRING)
    source = directory / "none.parquet"
    _rows(["e0"]).to_parquet(source)
    store = FeatureStore(config=_config(directory, {"type": "file"}))
    store.apply([entity, _view("view", entity, source, NAMES)])
    for first in range(0, entities, BATCH):
        ids = [f"e{number}" for number in range(first, min(first + BATCH, entities))]
        store.write_to_online_store("view", _rows(ids))
    return store


def _rows(ids: list[str]) -> pd.DataFrame:
    columns: dict[str, Any] = {"thing": ids, "event_timestamp": AT, "created": datetime.now(tz=UTC)}
    return pd.DataFrame(columns | {name: [float(len(one)) + 0.5 for one in ids] for name in NAMES})


def _p50_us(work: Callable[[Any], object], items: list[Any]) -> float:
    work(items[0])
    took = []
    for item in items:
        start = time.perf_counter()
        work(item)
        took.append(time.perf_counter() - start)
    return statistics.median(took) * 1e6


WORK: dict[str, Callable[..., dict[str, float]]] = {"online": online, "serve": serve, "pit": pit}

if __name__ == "__main__":
    main()

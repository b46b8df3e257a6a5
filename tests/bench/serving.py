"""One served prediction, read online and scored, against scikit-learn's own way with one row, and against a lookup."""

import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from handlers.commands.predict import PredictionServer
from tests.bench.measure import Figure, median_s
from tests.worker import world
from worker.adapters.features.local import LocalFeatureStore
from worker.adapters.models.local import LocalArtifacts
from worker.adapters.models.skops_format import SkopsFormat
from worker.bee import BeeSpec
from worker.clock import wall_clock
from worker.features.port import Definition, Write
from worker.models.encoding import encode
from worker.models.port import Artifact, Deployment
from worker.models.traffic import Traffic
from worker.serving.log import PredictionLog, Rules
from worker.serving.port import Silent
from worker.steps import candidates

ROWS, COUNT, SERVED = 1500, 100, 1500
FEATURES = tuple(f"f{number}" for number in range(9))
KINDS = dict.fromkeys(FEATURES, "number")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BEE = BeeSpec.model_validate(
    {"bee": "bench", "entity": "content", "label": "y", "metric": "f1", "features": FEATURES, "positive": 1}
)
DIVIDED = BEE.model_copy(update={"bee": "divided"})


def bench(directory: Path) -> list[Figure]:
    """Return milliseconds for one prediction of each algorithm, and of a whole served one."""
    rows, matrix = _rows()
    figures = []
    for name in candidates.names("binary", "auto"):
        estimator = candidates.build(name, "binary", KINDS, {}, seed=1).fit(matrix, np.arange(ROWS) % 2)
        sha256 = SkopsFormat().dump(estimator, _metadata(), directory / name)
        predictor = SkopsFormat().load(directory / name, sha256)
        columns = {feature: values[:1] for feature, values in rows.items()}
        ours = _ms(lambda predictor=predictor, columns=columns: predictor.predict(columns))
        peer = _ms(lambda estimator=estimator: estimator.predict_proba(matrix[:1]))
        figures.append(Figure(f"score one row: {name}", ours, peer, "ms", "scikit-learn's predict_proba on one row"))
        if name == "random_forest":
            figures += _served(directory, name, sha256, rows)
    return figures


def _served(directory: Path, name: str, sha256: str, rows: dict[str, list[Any]]) -> list[Figure]:
    """Return a prediction with its nine features read online: against a lookup, and with split and log against none."""
    store = LocalFeatureStore(directory / "features", clock=wall_clock)
    for feature in FEATURES:
        store.define(Definition(feature, "content", "number"))
    store.write(
        [Write(f"c{row}", feature, rows[feature][row], NOW, NOW) for feature in FEATURES for row in range(COUNT)]
    )
    ledger = world.new_ledger(directory)
    artifacts = LocalArtifacts(directory / "models")
    artifact: Artifact = artifacts.put(directory / name)
    with ledger.begin() as transaction:
        for version in ("1", "2"):
            transaction.models.add(world.version(version, bee=BEE.bee, artifact=artifact, state="deployed"))
            transaction.models.add(world.version(version, bee=DIVIDED.bee, artifact=artifact, state="deployed"))
        half = Traffic((("2", 50), ("1", 50)), "rollout")
        transaction.models.deploy(Deployment(BEE.bee, 1, "1", None, NOW, "", None))
        transaction.models.deploy(Deployment(DIVIDED.bee, 1, "1", None, NOW, "", None, half))
    log = PredictionLog(store, Rules(), Silent())
    plain = PredictionServer(ledger, store, artifacts, SkopsFormat())
    divided = PredictionServer(ledger, store, artifacts, SkopsFormat(), predictions=log)
    predictor = SkopsFormat().load(directory / name, sha256)
    at_hand = {f"c{row}": {feature: [rows[feature][row]] for feature in FEATURES} for row in range(COUNT)}
    turns = iter(range(10**9))
    works = (
        lambda: plain.predict(BEE, wall_clock(), entity_id=f"c{next(turns) % COUNT}"),
        lambda: divided.predict(DIVIDED, wall_clock(), entity_id=f"c{next(turns) % COUNT}"),
        lambda: predictor.predict(at_hand[f"c{next(turns) % COUNT}"]),
    )
    without, with_all, lookup = (median * 1e3 for median in _medians_s(works))
    log.close(patience_s=60)
    store.close()
    ledger.close()
    return [
        Figure("serve one prediction: 9 features, forest", without, lookup, "ms", "a dictionary, and the same scoring"),
        Figure("serve one prediction: split and log on", with_all, without, "ms", "neither, in the same process"),
    ]


def _medians_s(works: Sequence[Callable[[], object]]) -> list[float]:
    """Return the median seconds of each work, taken in turns: whatever slows one slows all."""
    took: list[list[float]] = [[] for _ in works]
    for turn in range(SERVED + 1):
        for work, times in zip(works, took, strict=True):
            start = time.perf_counter()
            work()
            if turn:  # the first loads
                times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in took]


def _rows() -> tuple[dict[str, list[Any]], Any]:
    random = np.random.default_rng(0)
    rows = {feature: random.normal(size=ROWS).tolist() for feature in FEATURES}
    return rows, encode(rows, KINDS, ROWS)


def _metadata() -> dict[str, Any]:
    return {"features": list(FEATURES), "kinds": KINDS, "task": "binary", "classes": [0, 1]}


def _ms(work: Any) -> float:
    work()
    return median_s(work, repeats=COUNT) * 1e3

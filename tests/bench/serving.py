"""One served prediction, read online and scored, against scikit-learn's own way with one row, and against a lookup."""

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
from worker.features.port import Definition, Write
from worker.models.encoding import encode
from worker.models.port import Artifact, Deployment
from worker.steps import candidates

ROWS, COUNT = 1500, 100
FEATURES = tuple(f"f{number}" for number in range(9))
KINDS = dict.fromkeys(FEATURES, "number")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BEE = BeeSpec.model_validate(
    {"bee": "bench", "entity": "content", "label": "y", "metric": "f1", "features": FEATURES, "positive": 1}
)


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
            figures.append(_served(directory, name, sha256, rows))
    return figures


def _served(directory: Path, name: str, sha256: str, rows: dict[str, list[Any]]) -> Figure:
    """Return a prediction with its nine features read online, against a dictionary in their stead."""
    store = LocalFeatureStore(directory / "features", clock=lambda: NOW)
    for feature in FEATURES:
        store.define(Definition(feature, "content", "number"))
    store.write(
        [Write(f"c{row}", feature, rows[feature][row], NOW, NOW) for feature in FEATURES for row in range(COUNT)]
    )
    ledger = world.new_ledger(directory)
    artifact: Artifact = LocalArtifacts(directory / "models").put(directory / name)
    with ledger.begin() as transaction:
        transaction.models.add(world.version(bee=BEE.bee, artifact=artifact, state="deployed"))
        transaction.models.deploy(Deployment(BEE.bee, 1, "1", None, NOW, "", None))
    server = PredictionServer(ledger, store, LocalArtifacts(directory / "models"), SkopsFormat())
    predictor = SkopsFormat().load(directory / name, sha256)
    at_hand = {f"c{row}": {feature: [rows[feature][row]] for feature in FEATURES} for row in range(COUNT)}
    turns = iter(range(10**9))
    ours = _ms(lambda: server.predict(BEE, NOW, entity_id=f"c{next(turns) % COUNT}"))
    peer = _ms(lambda: predictor.predict(at_hand[f"c{next(turns) % COUNT}"]))
    store.close()
    ledger.close()
    return Figure(
        "serve one prediction: 9 features read, forest", ours, peer, "ms", "a dictionary, and the same scoring"
    )


def _rows() -> tuple[dict[str, list[Any]], Any]:
    random = np.random.default_rng(0)
    rows = {feature: random.normal(size=ROWS).tolist() for feature in FEATURES}
    return rows, encode(rows, KINDS, ROWS)


def _metadata() -> dict[str, Any]:
    return {"features": list(FEATURES), "kinds": KINDS, "task": "binary", "classes": [0, 1]}


def _ms(work: Any) -> float:
    work()
    return median_s(work, repeats=COUNT) * 1e3

"""The trainer of rows and columns: scikit-learn pipelines in skops files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from worker.bee import BeeSpec, Range, Space
from worker.models.port import Predictor
from worker.steps.tables import Rows
from worker.steps.trainers.port import Job, Trained, Unlearnable, Wanted

_RATES = Range(low=0.02, high=0.3, log=True)
_LEAVES: Space = {"min_samples_leaf": (1, 2, 5, 10, 20), "max_features": ("sqrt", 0.5, 1.0)}
_FOREST: Space = {"n_estimators": (100, 200, 400), "max_depth": (None, 4, 8, 16), **_LEAVES}
#: algorithm → what a search may try where the bee declares no space of its own.
SPACES: dict[str, Space] = {
    "logistic_regression": {"C": Range(low=1e-3, high=1e2, log=True), "class_weight": (None, "balanced")},
    "ridge": {"alpha": Range(low=1e-3, high=1e3, log=True)},
    "random_forest": _FOREST,
    "hist_gradient_boosting": {
        "learning_rate": _RATES,
        "max_iter": Range(low=50, high=300),
        "max_leaf_nodes": (7, 15, 31, 63),
        "min_samples_leaf": (5, 10, 20, 40),
        "l2_regularization": Range(low=1e-4, high=10.0, log=True),
    },
}
_NESTED = ("hyperparameters", "settings", "parameters")


@dataclass(frozen=True)
class TabularTrainer:
    """Trains scikit-learn pipelines; a variant's settings are `{algorithm, hyperparameters}`."""

    def space(self, bee: BeeSpec) -> Sequence[tuple[Mapping[str, Any], Space]]:
        """Return each algorithm that the bee allows, with its space."""
        from worker.steps import candidates

        names = candidates.names(bee.task, bee.trainer.algorithm)
        return [({"algorithm": name}, bee.trainer.space or SPACES[name]) for name in names]

    def normal(self, bee: BeeSpec, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return `{algorithm, hyperparameters}`; hyperparameters may stand beside the algorithm or nested."""
        nested = [given[name] for name in _NESTED if isinstance(given.get(name), Mapping)]
        flat = {name: value for name, value in given.items() if name not in {"algorithm", *_NESTED}}
        merged = {name: value for part in (*nested, flat) for name, value in part.items()}
        algorithm = merged.pop("algorithm", None) or given.get("algorithm") or bee.trainer.algorithm
        return {"algorithm": str(algorithm), "hyperparameters": merged}

    def prepare(self, bee: BeeSpec, as_of: datetime) -> Rows | None:  # noqa: ARG002 - the port's form
        """Return None: the rows are in the feature store."""
        return None

    def train(self, rows: Rows, wanted: Wanted, path: Path, job: Job) -> Trained | Unlearnable:
        """Fit the wanted algorithm, or the best of all by time-ordered validation.

        Raises:
            Rejected: an unknown algorithm or hyperparameter, or a value that it does not accept.
        """
        from worker.steps import candidates
        from worker.steps.fitting import Plan, fit_best

        settings = wanted.settings or {"algorithm": job.bee.trainer.algorithm, "hyperparameters": {}}
        algorithm, hyperparameters = settings["algorithm"], settings["hyperparameters"]
        plan = Plan(algorithm, hyperparameters, wanted.folds, job.seed, wanted.source)
        fitted = fit_best(rows, job.bee, plan)
        if isinstance(fitted, Unlearnable):
            return fitted
        metadata = fitted.metadata | dict(wanted.chosen)
        sha256 = job.models.dump(fitted.estimator, metadata, path)
        rank = list(candidates.ALGORITHMS[job.bee.task == "regression"]).index(fitted.metadata["algorithm"])
        return Trained(sha256, metadata, fitted.report, (float(rank), float(path.stat().st_size)))

    def load(self, path: Path, sha256: str, job: Job) -> Predictor:
        """Return the model, its hash checked. Raises Rejected."""
        return job.models.load(path, sha256)


TRAINER = TabularTrainer()

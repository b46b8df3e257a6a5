"""What a training step is to train with: the bee's own settings, an experiment's winner, or the trainer's choice."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.bee import BeeSpec
from worker.steps.trainers.port import Wanted, trainer_of

FROM_BEST = "from_best_experiment"


@dataclass(frozen=True)
class Asked:
    """What bee and template say."""

    algorithm: str
    hyperparameters: Mapping[str, Any] | str
    folds: int


def wanted(asked: Asked, bee: BeeSpec, run: Mapping[str, Any]) -> Wanted:
    """Return what to train with; `source` says in words where it is from.

    Args:
        asked: the algorithm and the hyperparameters, or `from_best_experiment`.
        bee: whose.
        run: its frozen `bestExperiment` is the newest registered winner, null if there is none.
    """
    if asked.hyperparameters != FROM_BEST:
        given = asked.hyperparameters if isinstance(asked.hyperparameters, Mapping) else {}
        return _plain(asked, bee, given)
    best = run.get("bestExperiment")
    if not best:
        return _plain(asked, bee, {}, "no experiment: defaults")
    algorithm, version = str(best["algorithm"]), best["version"]
    if bee.task != "generation" and asked.algorithm not in {"auto", algorithm}:
        words = f"defaults: the best experiment (version {version}) is of {algorithm}, not {asked.algorithm}"
        return _plain(asked, bee, {}, words)
    source = f"experiment {best['run']}: variant {best['variant']}, version {version}"
    settings = trainer_of(bee).normal(bee, {"algorithm": algorithm, "hyperparameters": best["hyperparameters"]})
    chosen = {name: best[name] for name in ("chosenOn", "chosenUntil", "chosenAmong") if best.get(name)}
    return Wanted(settings, source, asked.folds, chosen)


def _plain(asked: Asked, bee: BeeSpec, given: Mapping[str, Any], source: str = "") -> Wanted:
    if bee.task == "generation":
        return Wanted(trainer_of(bee).normal(bee, given) if given else None, source.removesuffix(": defaults"))
    return Wanted({"algorithm": asked.algorithm, "hyperparameters": dict(given)}, source, asked.folds)

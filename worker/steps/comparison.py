"""Challenger against champion on the same rows: the values, the interval of the difference, and the slices."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.bee import BeeSpec
from worker.clock import parse_time, to_text
from worker.models.port import Predictor, Scored
from worker.steps.bootstrap import Question, interval
from worker.steps.labels import classes_of, encode_labels
from worker.steps.metrics import Scores, measure, measure_all
from worker.steps.naive import naive_scores
from worker.steps.slices import compare_slices
from worker.steps.tables import Rows

_TOLD = ("algorithm", "hyperparameters", "trainedUntil", "snapshotId")
_LINEAGE = (
    "snapshotId",
    "definitions",
    "algorithm",
    "hyperparameters",
    "hyperparametersFrom",
    "trainedFrom",
    "library",
)


@dataclass(frozen=True)
class Opponent:
    """The champion, loaded."""

    predictor: Predictor
    trained_until: datetime | None


@dataclass(frozen=True)
class Side:
    """A model's scores on the hold-out, with what its file says of it."""

    metadata: Mapping[str, Any]
    scores: Scores
    trained_until: datetime | None = None


@dataclass(frozen=True)
class _Fight:
    """Both sides' scores on the same rows."""

    question: Question
    challenger: Scores
    champion: Scores
    rows: Rows
    bee: BeeSpec


def compare(
    challenger: Predictor, opponent: Opponent | None, rows: Rows, bee: BeeSpec, *, resamples: int, seed: int
) -> dict[str, Any]:
    """Return the evaluation: `challenger`, `champion` (None without one), `gate` (its numbers) and `lineage`.

    Args:
        challenger: the model to judge.
        opponent: the champion; without one the best constant prediction takes its place.
        rows: the hold-out, in time order, never empty.
        bee: whose metric and gate count.
        resamples: how many bootstrap samples to draw.
        seed: of the resampling.

    Raises:
        Rejected: the metric is not known for the task, or a slice column is not there.
    """
    ours = Side(challenger.metadata, score(challenger, rows.columns, bee))
    theirs = None
    if opponent:
        scores = score(opponent.predictor, rows.columns, bee)
        theirs = Side(opponent.predictor.metadata, scores, opponent.trained_until)
    return compare_sides(ours, theirs, rows, bee, resamples=resamples, seed=seed)


def compare_sides(
    challenger: Side, champion: Side | None, rows: Rows, bee: BeeSpec, *, resamples: int, seed: int
) -> dict[str, Any]:
    """Return the evaluation of models whose scores on `rows` are known; as `compare` does."""
    question = question_of(bee)
    ours = challenger.scores
    theirs = champion.scores if champion else naive_scores(question, challenger.metadata, ours.truth)
    fight = _Fight(question, ours, theirs, rows, bee)
    until = champion.trained_until if champion else None
    among = _chosen(challenger.metadata, rows, bee)
    confidence = 1 - (1 - bee.gate.confidence) / max(among["chosenAmong"], 1)
    numbers = _numbers(fight, confidence, resamples, seed) | {
        "challengerTrainedUntil": challenger.metadata.get("trainedUntil"),
        "championTrainedUntil": to_text(until) if until else None,
        "championMissing": _missing(champion, rows) if champion else [],
        "baseline": champion is None,
        **(among if bee.task == "generation" else {"chosenAmong": among["chosenAmong"]}),
        **compare_slices(question, ours, theirs, rows, bee.gate),
    }
    told = {"trainedUntil": numbers["championTrainedUntil"], "metrics": measure_all(bee.metric, bee.task, theirs)}
    return {
        "challenger": _told(challenger.metadata) | {"metrics": measure_all(bee.metric, bee.task, ours)},
        "champion": told if champion else None,
        "gate": numbers,
        "lineage": {name: challenger.metadata.get(name) for name in _LINEAGE},
    }


def question_of(bee: BeeSpec) -> Question:
    """Return what a bee's models are compared by."""
    return Question(bee.metric, bee.task, bee.lower_is_better)


def _chosen(metadata: Mapping[str, Any], rows: Rows, bee: BeeSpec) -> dict[str, int]:
    """Return among how many the model was chosen on the very rows that judge it, and how many of these there are."""
    among, until = int(metadata.get("chosenAmong") or 1), metadata.get("chosenUntil")
    if bee.task == "generation":
        shared = len(set(metadata.get("chosenOn") or ()) & set(rows.entity_ids))
    else:
        shared = sum(moment <= parse_time(until) for moment in rows.times) if until else 0
    return {"chosenAmong": among if shared else 1, "sharedPrompts": shared}


def score(predictor: Predictor, columns: Mapping[str, Sequence[Any]], bee: BeeSpec) -> Scores:
    """Return a model's scores on labelled rows."""
    answers = predictor.predict(columns)
    if bee.task == "generation":
        return Scores(np.zeros(len(answers)), np.array([answer.score for answer in answers], dtype=float))
    return scores_of(answers, columns[bee.label], bee)


def scores_of(answers: Sequence[Scored], labels: Sequence[Any], bee: BeeSpec) -> Scores:
    """Return what answers are worth whose rows' labels are known; not of generated text."""
    predictions = [answer.prediction for answer in answers]
    if bee.task == "regression":
        return Scores(encode_labels(labels, [], bee), encode_labels(predictions, [], bee))
    if bee.task == "multiclass":
        classes = classes_of([*labels, *predictions], bee)
        return Scores(encode_labels(labels, classes, bee), encode_labels(predictions, classes, bee))
    return Scores(
        encode_labels(labels, [], bee) == 1, encode_labels(predictions, [], bee) == 1, _probabilities(answers)
    )


def _probabilities(answers: Sequence[Any]) -> NDArray[Any] | None:
    scores = [answer.score for answer in answers]
    return None if None in scores else np.array(scores, dtype=float)


def _numbers(fight: _Fight, confidence: float, resamples: int, seed: int) -> dict[str, Any]:
    bee, question, rows = fight.bee, fight.question, fight.rows
    sides = (fight.challenger, fight.champion)
    ours, theirs = (measure(bee.metric, bee.task, scores) for scores in sides)
    lower, upper = interval(question, *sides, confidence=confidence, resamples=resamples, seed=seed)
    return {
        "rows": len(rows),
        "positives": int(np.sum(fight.challenger.truth)) if bee.task == "binary" else None,
        "metric": bee.metric,
        "challenger": ours,
        "champion": theirs,
        "difference": question.improvement(ours, theirs),
        "lower": lower,
        "upper": upper,
        "confidence": confidence,
        "margin": bee.gate.min_improvement,
        "resamples": resamples,
        "holdoutStart": to_text(min(rows.times)),
        "holdoutEnd": to_text(max(rows.times)),
        "newRows": _whole(rows.facts.get("newRows")),
    }


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _missing(champion: Side, rows: Rows) -> list[str]:
    return sorted(set(champion.metadata.get("features", ())) - set(rows.columns))


def _told(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name: metadata.get(name) for name in _TOLD}

"""What an evaluation of a version that is being tried adds to what is tried; in the caller's transaction."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from worker.clock import parse_time
from worker.decide.evaluation import Evaluation
from worker.decide.signal import window_key
from worker.ledger import Transaction
from worker.models.port import Deployment
from worker.rollout.encoding import encoded
from worker.rollout.told import Window, heard
from worker.runs.trial import rollout_of

_NOTHING = ("", lambda: None)


def tried(
    evaluation: Evaluation, champion: Deployment | None, transaction: Transaction
) -> tuple[str, Callable[[], None]]:
    """Return in words what an evaluation adds to its bee's rollout or test, and how to keep it once it is judged.

    The words are empty for a version that is not live. Without divided traffic nothing is asked of the ledger.
    """
    if champion is None or champion.divided is None:
        return _NOTHING
    live = {champion.version, *champion.divided.shares, *champion.divided.shadow}
    if evaluation.version not in live:
        return _NOTHING
    rollout = rollout_of(transaction, evaluation.bee)
    if rollout is None:
        return "recorded only, for the test goes by exposures and what came of them", lambda: None
    after, said = heard(rollout, _window(evaluation))
    return said, lambda: transaction.trials.save(encoded(after)) if after != rollout else None


def _window(evaluation: Evaluation) -> Window:
    told = evaluation.data.get("window")
    window: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    return Window(
        version=evaluation.version,
        key=window_key(evaluation),
        at=evaluation.evaluated_at,
        start=_time(window.get("start")),
        end=_time(window.get("end")),
        samples=evaluation.sample_count,
        metrics={name: None if value is None else float(value) for name, value in evaluation.metrics.items()},
    )


def _time(text: Any) -> datetime | None:
    """Return a window's bound; None where it is none that can be read, as deciding does without it."""
    try:
        return parse_time(text)
    except (TypeError, ValueError):
        return None

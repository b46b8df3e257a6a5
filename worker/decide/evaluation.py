"""The data of one `model.evaluated` event, checked field by field."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from worker.bee import BEE_ID
from worker.clock import parse_time
from worker.errors import Rejected

MAX_METRICS = 200
Metrics = Mapping[str, Decimal | None]


@dataclass(frozen=True)
class Drift:
    """What the monitor says about drift; None where it says nothing."""

    detected: bool | None = None
    severity: str | None = None
    score: Decimal | None = None
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of one version of a bee's model.

    Attributes:
        evaluated_at: the event time that order and watermarks go by.
        sample_count, positive_count: how much it rests on; None where the event does not tell.
        metrics, baseline: metric -> exact value; None where it was null (undefined).
        data: the whole payload as it came, unknown fields included.
    """

    bee: str
    version: str
    evaluated_at: datetime
    window_id: str | None = None
    sample_count: int | None = None
    positive_count: int | None = None
    metrics: Metrics = field(default_factory=dict)
    baseline: Metrics = field(default_factory=dict)
    drift: Drift | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tells(self) -> tuple[bool, bool]:
        """Whether it has metrics, and whether it says something about drift."""
        return bool(self.metrics), self.drift is not None


def parse_evaluation(data: Mapping[str, Any], *, event_time: datetime) -> Evaluation:
    """Return the evaluation in an event's data.

    Args:
        data: the payload, numbers as int or Decimal.
        event_time: the envelope's time, else when it came in; used where the data has no `evaluatedAt`.

    Raises:
        Rejected: a field is missing or wrong; the error names it and the mend.
    """
    window = _object(data.get("window"), "data.window") or {}
    drift = _object(data.get("drift"), "data.drift")
    metrics = _object(data.get("metrics"), "data.metrics")
    if drift is None and metrics is None:
        raise Rejected("neither `drift` nor `metrics` is there", field="data", mend="send at least one of them")
    return Evaluation(
        bee=_bee(data.get("beeId")),
        version=_version(data.get("modelVersion")),
        evaluated_at=_evaluated_at(data.get("evaluatedAt"), event_time),
        window_id=_optional_text(window.get("id"), "data.window.id"),
        sample_count=_count(window.get("sampleCount"), "data.window.sampleCount"),
        positive_count=_count(window.get("positiveCount"), "data.window.positiveCount"),
        metrics=_metrics(metrics or {}, "data.metrics"),
        baseline=_metrics(_object(data.get("baseline"), "data.baseline") or {}, "data.baseline"),
        drift=None if drift is None else _drift(drift),
        data=data,
    )


def _bee(value: Any) -> str:
    if not isinstance(value, str) or not BEE_ID.fullmatch(value):
        raise Rejected(
            f"{_shown(value)} is not a bee's name",
            field="data.beeId",
            mend="use [a-z0-9][a-z0-9-]{0,62}, the name of a file in config/bees",
        )
    return value


def _version(value: Any) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not 0 < len(text) <= 128 or not text.isprintable():
        raise Rejected(
            f"{_shown(value)} is not a version",
            field="data.modelVersion",
            mend='send the version as `colony models list` shows it, for example "3"',
        )
    return text


def _evaluated_at(value: Any, event_time: datetime) -> datetime:
    if value is None:
        return event_time
    try:
        return parse_time(value)
    except (TypeError, ValueError) as error:
        raise Rejected(
            f"{_shown(value)} is not a time", field="data.evaluatedAt", mend="write it as 2002-09-28T00:00:00Z"
        ) from error


def _drift(value: Mapping[str, Any]) -> Drift:
    detected = value.get("detected")
    if detected is not None and not isinstance(detected, bool):
        raise Rejected(f"{_shown(detected)} is not a boolean", field="data.drift.detected", mend="send true or false")
    features = value.get("features") or []
    if not isinstance(features, list) or not all(isinstance(name, str) for name in features):
        raise Rejected("not a list of names", field="data.drift.features", mend='send ["engagement_rate", …]')
    return Drift(
        detected=detected,
        severity=_optional_text(value.get("severity"), "data.drift.severity"),
        score=_number(value.get("score"), "data.drift.score"),
        features=tuple(features),
    )


def _metrics(value: Mapping[str, Any], where: str) -> Metrics:
    if len(value) > MAX_METRICS:
        raise Rejected(f"{len(value)} metrics, more than {MAX_METRICS}", field=where, mend="send the ones that count")
    return {name: _number(number, f"{where}.{name}") for name, number in value.items()}


def _number(value: Any, where: str) -> Decimal | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float):
        raise Rejected(f"{_shown(value)} is not a number", field=where, mend="send a number, or null if undefined")
    if not isinstance(value, Decimal) and not _finite(value):
        raise Rejected(
            "a number that is not finite", field=where, mend="send one within ±1.8e308, or null if undefined"
        )
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _count(value: Any, where: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Rejected(f"{_shown(value)} is not a count", field=where, mend="send a whole number, 0 or more")
    return value


def _object(value: Any, where: str) -> Mapping[str, Any] | None:
    if value is not None and not isinstance(value, Mapping):
        raise Rejected(f"{_shown(value)} is not an object", field=where, mend="send a JSON object, or leave it out")
    return value


def _optional_text(value: Any, where: str) -> str | None:
    if value is not None and (not isinstance(value, str) or len(value) > 256 or not value.isprintable()):
        mend = "send up to 256 printable characters"
        raise Rejected(f"{_shown(value)} is not a short text", field=where, mend=mend)
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"

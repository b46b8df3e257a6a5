"""The quick way to read an evaluation: one typed decoding for what is usual; whatever is not takes the exact way.

Both ways conclude the same, to the letter. A number is decoded as the nearest float, and every rule that could come
out otherwise with the digits that the event spells goes back to them (`QuickEvaluation.exact`).
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec

from worker.bee import BeeSpec
from worker.clock import parse_time
from worker.decide.evaluation import MAX_METRICS, Drift, Evaluation, Metrics, parse_evaluation
from worker.frozen import made

Floats = Mapping[str, float | None]
MAX_BYTES = 16_384
#: A number of a thousand characters, which the exact way refuses, has such a run of digits.
_LONG = re.compile(rb"[0-9]{300}")
_SHORT = 1000


class Unusual(Exception):
    """Not what the quick way reads; nothing is said of whether it is right."""


_Short = Annotated[str, msgspec.Meta(max_length=256)]
#: A bare int would take 437.0, which is no count.
_Count = Annotated[int, msgspec.Meta(ge=0)] | float
_Numbers = Annotated[dict[str, float | None], msgspec.Meta(max_length=MAX_METRICS)]


class _Window(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    id: _Short | None = None
    start: str | None = None
    end: str | None = None
    sampleCount: _Count | None = None  # noqa: N815 - the event's own name
    positiveCount: _Count | None = None  # noqa: N815 - the event's own name


class _Drift(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    detected: bool | None = None
    severity: _Short | None = None
    score: float | None = None
    features: list[str] | None = None


class _Data(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    beeId: str  # noqa: N815 - the event's own name
    modelVersion: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]  # noqa: N815 - the event's own name
    evaluatedAt: str | None = None  # noqa: N815 - the event's own name
    window: _Window | None = None
    metrics: _Numbers | None = None
    baseline: _Numbers | None = None
    drift: _Drift | None = None


_DECODE = msgspec.json.Decoder(_Data).decode
_NO_WINDOW, _NO_METRICS = _Window(), {}  # type: ignore[var-annotated]


class QuickEvaluation(Evaluation):
    """An evaluation whose numbers are floats until somebody needs their digits.

    Attributes:
        values, baselines: metric -> nearest float; None where it was null.
        said: what the monitor says about drift; None where it says nothing.
    """

    values: Floats
    baselines: Floats
    said: _Drift | None
    _read: Callable[[], Mapping[str, Any]]
    _exact: Evaluation

    @property
    def exact(self) -> Evaluation:
        """The same evaluation with the numbers as the event spells them."""
        found: Evaluation | None = self.__dict__.get("_exact")
        if found is None:
            found = self.__dict__["_exact"] = parse_evaluation(self._read(), event_time=self.evaluated_at)
        return found

    @property
    def metrics(self) -> Metrics:
        """The metrics, exact."""
        return self.exact.metrics

    @property
    def baseline(self) -> Metrics:
        """The baseline, exact."""
        return self.exact.baseline

    @property
    def drift(self) -> Drift | None:
        """What the monitor says about drift."""
        return self.exact.drift

    @property
    def data(self) -> Mapping[str, Any]:
        """The whole payload as it came."""
        return self.exact.data

    @property
    def tells(self) -> tuple[bool, bool]:
        """Whether it has metrics, and whether it says something about drift."""
        return bool(self.values), self.said is not None

    def value(self, name: str) -> float | None:
        """Return a metric; 0.0 for -0.0, as the exact way reads it."""
        found = self.values.get(name)
        return None if found is None else found + 0.0

    def base(self, name: str) -> float | None:
        """Return a metric's baseline; 0.0 for -0.0."""
        found = self.baselines.get(name)
        return None if found is None else found + 0.0

    def enough(self, bee: BeeSpec) -> bool:
        """Tell whether it rests on as many samples and positives as the bee asks for."""
        samples, positives, evidence = self.sample_count, self.positive_count, bee.evidence
        if samples is not None and samples < evidence.min_samples:
            return False
        return positives is None or positives >= evidence.min_positives or bee.task == "regression"

    def plain(self) -> dict[str, Any]:
        """Return the payload as JSON values, numbers as floats."""
        found: dict[str, Any] = msgspec.json.decode(self.__dict__["text"])
        for part in ("metrics", "baseline", "drift"):
            # -0.0 is equal to it as well.
            if found.get(part) and 0.0 in found[part].values():
                found[part] = {name: _unsigned(value) for name, value in found[part].items()}
        return found


def quick_evaluation(
    text: bytes | msgspec.Raw, read: Callable[[], Mapping[str, Any]], known: Mapping[str, Any], *, event_time: datetime
) -> QuickEvaluation:
    """Return the evaluation in an event's data, if it is a usual one.

    Args:
        text: the data's JSON.
        read: returns the data read strictly, numbers as int or Decimal.
        known: the bees there are.
        event_time: used where the data has no `evaluatedAt`.

    Raises:
        Unusual: to be read the exact way, which may refuse it.
    """
    if len(text) > _SHORT and (len(text) > MAX_BYTES or _LONG.search(text)):
        raise Unusual
    try:
        data = _DECODE(text)
        at = event_time if data.evaluatedAt is None else parse_time(data.evaluatedAt)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError) as error:
        raise Unusual from error
    window, drift = data.window or _NO_WINDOW, data.drift
    metrics, baseline = data.metrics or _NO_METRICS, data.baseline or _NO_METRICS
    name, severity = window.id, None if drift is None else drift.severity
    # Whatever the exact way might refuse is left to it.
    if not (
        data.beeId in known
        and (drift is not None or data.metrics is not None)
        and data.modelVersion.isprintable()
        and window.sampleCount.__class__ is not float
        and window.positiveCount.__class__ is not float
        and (name is None or name.isprintable())
        and (severity is None or severity.isprintable())
    ):
        raise Unusual
    fields = {
        "bee": data.beeId,
        "version": data.modelVersion,
        "evaluated_at": at,
        "window_id": window.id,
        "sample_count": window.sampleCount,
        "positive_count": window.positiveCount,
        "values": metrics,
        "baselines": baseline,
        "said": drift,
        "text": text,
        "_read": read,
    }
    return made(QuickEvaluation, fields)


def _unsigned(value: Any) -> Any:
    """Return 0.0 for -0.0, as the exact way reads it, and anything else as it is."""
    return value + 0.0 if value.__class__ is float else value

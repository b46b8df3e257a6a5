"""The gate, pure and fail-closed: may a challenger replace the champion, judged from an evaluation's numbers alone."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.bee import GateSpec
from worker.clock import parse_time


@dataclass(frozen=True)
class Check:
    """One thing that was asked, whether it held, and in words what was found."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger may be deployed; `reasons` are the details of the checks that did not hold."""

    passed: bool
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]

    @property
    def reason(self) -> str:
        """The reasons as one text, empty if it passed."""
        return "; ".join(self.reasons)


class _Missing(Exception):
    """A number that the gate needs is not there."""


def judge(numbers: Mapping[str, Any], spec: GateSpec, *, task: str) -> Verdict:
    """Judge a challenger.

    Args:
        numbers: `outcome["gate"]`: rows, positives, challenger, champion, difference, lower, upper, confidence, margin,
            holdoutStart, holdoutEnd, challengerTrainedUntil, championTrainedUntil, newRows, slices, baseline; for a
            generation task sharedPrompts and chosenAmong instead of times and new rows.
            Differences are positive where the challenger is better.
        spec: the bee's gate.
        task: the bee's task; positives count for a binary one.

    Returns:
        a verdict that passes only if every check holds; what is missing, null, NaN or infinite is a failed check.
    """
    asked: list[tuple[str, _Ask]] = [
        ("rows", _rows), ("metric", _metric), ("improvement", _improvement), ("slices", _slices),
        ("opponent", _opponent),
    ]  # fmt: skip
    if task == "generation":
        # Prompts have no time, and settings learn nothing from them but by being chosen on them.
        asked.append(("unseen prompts", _unseen_prompts))
    else:
        asked.insert(2, ("unseen by the challenger", _unseen("challengerTrainedUntil")))
    if task == "binary":
        asked.append(("positives", _positives))
    if task != "generation" and numbers.get("baseline") is not True:
        asked += [("unseen by the champion", _unseen("championTrainedUntil")), ("new rows", _new_rows)]
    checks = tuple(_check(name, ask, numbers, spec) for name, ask in asked)
    reasons = tuple(check.detail for check in checks if not check.passed)
    return Verdict(not reasons, reasons, checks)


_Ask = Callable[[Mapping[str, Any], GateSpec], tuple[bool, str]]


def _check(name: str, ask: _Ask, numbers: Mapping[str, Any], spec: GateSpec) -> Check:
    try:
        passed, detail = ask(numbers, spec)
    except _Missing as missing:
        passed, detail = False, str(missing)
    return Check(name, passed, detail)


def _number(numbers: Mapping[str, Any], name: str, what: str = "") -> float:
    value = numbers.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _Missing(f"{what or name} is undefined ({'missing' if value is None else repr(value)})")
    return value


def _time(numbers: Mapping[str, Any], name: str) -> datetime:
    try:
        return parse_time(numbers[name])
    except (KeyError, TypeError, ValueError) as error:
        raise _Missing(f"{name} is not known") from error


def _rows(numbers: Mapping[str, Any], spec: GateSpec) -> tuple[bool, str]:
    rows = _number(numbers, "rows")
    return rows >= spec.min_rows, f"{rows:g} rows in the hold-out, {spec.min_rows} needed"


def _positives(numbers: Mapping[str, Any], spec: GateSpec) -> tuple[bool, str]:
    positives = _number(numbers, "positives")
    return positives >= spec.min_positives, f"{positives:g} positives in the hold-out, {spec.min_positives} needed"


def _new_rows(numbers: Mapping[str, Any], spec: GateSpec) -> tuple[bool, str]:
    rows = _number(numbers, "newRows")
    return rows >= spec.min_new_rows, f"{rows:g} labels since the champion's snapshot, {spec.min_new_rows} needed"


def _metric(numbers: Mapping[str, Any], _: GateSpec) -> tuple[bool, str]:
    challenger, champion = _number(numbers, "challenger"), _number(numbers, "champion")
    return True, f"{challenger:.4g} against {champion:.4g}"


def _unseen(name: str) -> _Ask:
    def ask(numbers: Mapping[str, Any], _: GateSpec) -> tuple[bool, str]:
        start, end, until = (_time(numbers, key) for key in ("holdoutStart", "holdoutEnd", name))
        held = until < start <= end
        return held, f"the hold-out starts {start:%Y-%m-%d %H:%M:%S}, {name} is {until:%Y-%m-%d %H:%M:%S}"

    return ask


def _unseen_prompts(numbers: Mapping[str, Any], spec: GateSpec) -> tuple[bool, str]:
    shared, among = _number(numbers, "sharedPrompts"), _number(numbers, "chosenAmong")
    confidence = _number(numbers, "confidence")
    needed = 1 - (1 - spec.confidence) / max(among, 1)
    # Chosen on the prompts that judge it, a winner of many flatters itself: only a wider interval makes up for that.
    words = f"{shared:g} prompts were used to choose it among {among:g}; the interval is one at {confidence:.4g}"
    return shared == 0 or confidence >= needed - 1e-12, f"{words}, {needed:.4g} needed" if shared else words


def _improvement(numbers: Mapping[str, Any], spec: GateSpec) -> tuple[bool, str]:
    difference, lower, upper, confidence = (
        _number(numbers, name, f"the difference's {name}") for name in ("difference", "lower", "upper", "confidence")
    )
    if lower > upper or confidence < spec.confidence:
        return False, f"the interval {lower:.4g} to {upper:.4g} at {confidence:g} is not one at {spec.confidence:g}"
    words = f"improvement {difference:.4g}, {confidence:.0%} interval {lower:.4g} to {upper:.4g}"
    margin = max(_number(numbers, "margin"), spec.min_improvement)
    return lower > margin, f"{words}, must be above {margin:g}"


def _slices(numbers: Mapping[str, Any], spec: GateSpec) -> tuple[bool, str]:
    slices = numbers.get("slices")
    if not isinstance(slices, list | tuple):
        raise _Missing("the slices are missing")
    worse = list(_worse(slices, spec))
    return not worse, "; ".join(worse) or f"none of {len(slices)} slices worse by more than {spec.max_slice_loss:g}"


def _worse(slices: list[Any] | tuple[Any, ...], spec: GateSpec) -> Iterator[str]:
    for item in slices:
        if not isinstance(item, Mapping):
            raise _Missing("a slice is malformed")
        name = f"slice {item.get('column')}={item.get('value')}"
        loss = _number(item, "loss", f"{name}: loss")
        if loss > spec.max_slice_loss:
            yield f"{name} is worse by {loss:.4g}, at most {spec.max_slice_loss:g} allowed"


def _opponent(numbers: Mapping[str, Any], _: GateSpec) -> tuple[bool, str]:
    baseline, missing = numbers.get("baseline"), numbers.get("championMissing", [])
    if not isinstance(baseline, bool):
        raise _Missing("baseline is missing: it is not known against whom the challenger was scored")
    if missing:
        return False, f"the champion was scored without its features {', '.join(map(str, missing))}"
    return True, "against the best constant prediction" if baseline else "against the champion"

"""An answer to why, as values: sentences first, then every rule and guard with what it saw; and its printed form."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from worker.decide.rules import RuleResult

_TOGETHER = ("vote", "arming")
_GUARDS = (
    *("mode", "one_run_per_bee", "trial", "pause", "colony_pause", "cooldown", "breaker", "colony_breaker"),
    *("budget_runs", "budget_cost", "colony_budget_runs", "colony_budget_cost", "nothing_new", "features"),
    *("concurrent_runs", "approval", "attempts"),
)
_AWAY = ("event_time", "known_version", "live_version", "order")
_RULES, _VOTE, _NOT, _BARS = (
    "What the rules said",
    "Taken together",
    "Why it was not judged",
    "What may hold a retrain back, in the order it was asked",
)


_PLACES = {_VOTE: _TOGETHER, _NOT: _AWAY, _BARS: _GUARDS}


@dataclass(frozen=True)
class Line:
    """One rule, guard, or thing that happened: its outcome, its sentence, and what it saw."""

    name: str
    outcome: str
    why: str
    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class Explanation:
    """An answer to why.

    Attributes:
        kind: `event`, `run` or `bee`.
        summary: the answer in sentences, the most telling first.
        following: what happens next.
    """

    subject: str
    kind: str
    summary: Sequence[str]
    sections: Sequence[Section] = ()
    following: str = ""


def of_rules(rules: Iterable[Mapping[str, Any]], *, only_rules: bool = False) -> list[Section]:
    """Return a decision's rules and guards as the journal has them, in order; `only_rules` leaves the guards out."""
    found: dict[str, list[Line]] = {_RULES: [], _VOTE: [], _NOT: [], _BARS: []}
    for rule in rules:
        name = str(rule["name"])
        title = next((title for title, names in _PLACES.items() if name in names), _RULES)
        found[title].append(Line(name, str(rule["outcome"]), str(rule["why"]), dict(rule.get("inputs") or {})))
    kept = {title: lines for title, lines in found.items() if lines and not (only_rules and title == _BARS)}
    return [Section(title, lines) for title, lines in kept.items()]


def of_guards(title: str, guards: Iterable[RuleResult]) -> Section:
    """Return guards as they are now."""
    lines = [Line(guard.name, guard.outcome.value, guard.why, _plain(guard.inputs)) for guard in guards]
    return Section(title, lines)


def printed(explanation: Explanation) -> dict[str, Any]:
    """Return it as one JSON object in the published form."""
    return {
        "subject": explanation.subject,
        "kind": explanation.kind,
        "summary": list(explanation.summary),
        "sections": [
            {
                "title": section.title,
                "lines": [
                    {"name": line.name, "outcome": line.outcome, "why": line.why, "inputs": _plain(line.inputs)}
                    for line in section.lines
                ],
            }
            for section in explanation.sections
        ],
        "next": explanation.following,
    }


def _plain(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in inputs.items()}

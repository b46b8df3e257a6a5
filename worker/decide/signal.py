"""From the rules of one evaluation to one signal: the vote over the rules, then the arming over data windows; pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from worker.clock import to_text
from worker.decide.evaluation import Evaluation
from worker.decide.memory import BeeMemory
from worker.decide.policy import Arming, Vote
from worker.decide.rules import Outcome, RuleResult, Told

_EVIDENCE = (Outcome.FIRED, Outcome.CLEAR, Outcome.BETWEEN)


@dataclass(frozen=True)
class Signal:
    """What an evaluation says of its version.

    Attributes:
        bad: the vote went against it.
        good: there is evidence that it is well; an evaluation can be neither.
        armed: bad often enough for an action.
        rules: the vote and the arming, for the journal.
    """

    bad: bool
    good: bool
    armed: bool
    rules: tuple[RuleResult, ...]
    memory: BeeMemory
    tell: Callable[[], str]

    @property
    def why(self) -> str:
        """The sentences of what fired, or of what the event told."""
        return self.tell()


def judge(evaluation: Evaluation, rules: Sequence[RuleResult], memory: BeeMemory, vote: Vote, arming: Arming) -> Signal:
    """Return the signal, and the memory with this evaluation's window in it."""
    fired = [rule for rule in rules if rule.outcome is Outcome.FIRED]
    voted = _vote(rules, fired, vote)
    bad = bool(fired) and voted.outcome is Outcome.PASSED
    good = not fired and _well(rules)
    memory = memory.of(evaluation.version)
    key = window_key(evaluation)
    if bad or good:
        memory = memory.saw(key, bad=bad)
    armed = _arming(memory, key, arming, bad=bad)
    tell = partial(_told, evaluation, rules, fired)
    return Signal(bad, good, bad and armed.outcome is Outcome.PASSED, (voted, armed), memory, tell)


def window_key(evaluation: Evaluation) -> str:
    """Return what tells one data window from another: its id, else its bounds, else the evaluation's time."""
    if evaluation.window_id is not None:
        return evaluation.window_id
    window = evaluation.data.get("window")
    if isinstance(window, dict) and (window.get("start") is not None or window.get("end") is not None):
        return f"{window.get('start')}/{window.get('end')}"
    return to_text(evaluation.evaluated_at)


def _vote(rules: Sequence[RuleResult], fired: Sequence[RuleResult], vote: Vote) -> RuleResult:
    evidence = [rule for rule in rules if rule.outcome in _EVIDENCE]
    if vote == "any":
        outcome = Outcome.PASSED if fired else Outcome.OFF
        return Told("vote", outcome, partial(_voted, evidence, fired, vote, 0))
    needed = len(evidence) if vote == "all" else int(vote)
    enough = 0 < needed <= len(fired)
    outcome = Outcome.PASSED if enough else Outcome.HELD if fired else Outcome.OFF
    return Told("vote", outcome, partial(_voted, evidence, fired, vote, needed))


def _voted(
    evidence: Sequence[RuleResult], fired: Sequence[RuleResult], vote: Vote, needed: int
) -> tuple[Mapping[str, Any], str]:
    inputs = {"vote": vote, "fired": [rule.name for rule in fired], "withEvidence": [rule.name for rule in evidence]}
    if vote == "any":
        return inputs, f"{len(fired)} of {len(evidence)} rules fired, one is enough"
    return inputs, f"{len(fired)} of {len(evidence)} rules with evidence fired, {needed} must"


def _arming(memory: BeeMemory, key: str, arming: Arming, *, bad: bool) -> RuleResult:
    found, spent = memory.count(arming.of), False
    if not bad:
        outcome = Outcome.OFF
    else:
        spent = any(window.key == key and window.spent for window in memory.windows)
        outcome = Outcome.PASSED if not spent and found >= arming.windows else Outcome.HELD
    return Told("arming", outcome, partial(_armed, found, key, arming, bad=bad, spent=spent))


def _armed(found: int, key: str, arming: Arming, *, bad: bool, spent: bool) -> tuple[Mapping[str, Any], str]:
    inputs = {"badWindows": found, "needed": arming.windows, "of": arming.of, "window": key}
    if not bad:
        return inputs, f"{found} of the last {arming.of} data windows were bad"
    if spent:
        return inputs, f"the data window {key} has led to an action before"
    return inputs, f"{found} of the last {arming.of} data windows are bad, {arming.windows} must be"


def _well(rules: Sequence[RuleResult]) -> bool:
    """Tell whether there is evidence that the model is well.

    Where the event tells the bee's metric, only that is evidence: quiet drift does not heal a bad score.
    """
    drop = next((rule for rule in rules if rule.name in {"performance_drop", "floor"}), None)
    if drop is not None and drop.outcome is not Outcome.CLEAR and drop.inputs["value"] is not None:
        return False
    known = [rule for rule in rules if rule.outcome in _EVIDENCE]
    return bool(known) and all(rule.outcome is Outcome.CLEAR for rule in known)


def _told(evaluation: Evaluation, rules: Sequence[RuleResult], fired: Sequence[RuleResult]) -> str:
    """Return the sentences of what fired, else of the rules whose part of the event is there, else of all."""
    if fired:
        return "; ".join(rule.why for rule in fired)
    metrics, drift = evaluation.tells
    said = [rule.why for rule in rules if (drift if rule.name.startswith("drift") else metrics)]
    return "; ".join(said or [rule.why for rule in rules])

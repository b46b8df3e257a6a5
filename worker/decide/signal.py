"""From the rules of one evaluation to one signal: the vote over the rules, then the arming over data windows; pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from worker.clock import to_text
from worker.decide.evaluation import Evaluation
from worker.decide.memory import BeeMemory
from worker.decide.policy import Arming, Vote
from worker.decide.rules import BETWEEN, CLEAR, FIRED, HELD, OFF, PASSED, RuleResult, told

_EVIDENCE = (FIRED, CLEAR, BETWEEN)
_OF_METRIC = ("performance_drop", "floor")


class Signal(msgspec.Struct, frozen=True, gc=False):
    """What an evaluation says of its version.

    Attributes:
        bad: the vote went against it.
        good: there is evidence that it is well; an evaluation can be neither.
        armed: bad often enough for an action.
        rules: the vote and the arming, for the journal.
        of: the evaluation, its rules, and those of them that fired.
    """

    bad: bool
    good: bool
    armed: bool
    rules: tuple[RuleResult, ...]
    memory: BeeMemory
    of: tuple[Evaluation, Sequence[RuleResult], Sequence[RuleResult]]

    @property
    def why(self) -> str:
        """The sentences of what fired, or of what the event told."""
        return sentence(*self.of)


def judge(evaluation: Evaluation, rules: Sequence[RuleResult], memory: BeeMemory, vote: Vote, arming: Arming) -> Signal:
    """Return the signal, and the memory with this evaluation's window in it."""
    evidence = [rule for rule in rules if rule.outcome in _EVIDENCE]
    fired = [rule for rule in evidence if rule.outcome is FIRED]
    voted = _vote(evidence, fired, vote)
    bad = bool(fired) and voted.outcome is PASSED
    good = not fired and _well(rules, evidence)
    memory = memory.of(evaluation.version)
    key = window_key(evaluation)
    if bad or good:
        memory = memory.saw(key, bad=bad)
    armed = _arming(memory, key, arming, bad=bad)
    of = evaluation, rules, fired
    return Signal(bad, good, bad and armed.outcome is PASSED, (voted, armed), memory, of)


def window_key(evaluation: Evaluation) -> str:
    """Return what tells one data window from another: its id, else its bounds, else the evaluation's time."""
    if evaluation.window_id is not None:
        return evaluation.window_id
    window = evaluation.data.get("window")
    if isinstance(window, dict) and (window.get("start") is not None or window.get("end") is not None):
        return f"{window.get('start')}/{window.get('end')}"
    return to_text(evaluation.evaluated_at)


def _vote(evidence: Sequence[RuleResult], fired: Sequence[RuleResult], vote: Vote) -> RuleResult:
    if vote == "any":
        outcome = PASSED if fired else OFF
        return told("vote", outcome, _voted, (evidence, fired, vote, 0))
    needed = len(evidence) if vote == "all" else int(vote)
    enough = 0 < needed <= len(fired)
    outcome = PASSED if enough else HELD if fired else OFF
    return told("vote", outcome, _voted, (evidence, fired, vote, needed))


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
        outcome = OFF
    else:
        spent = memory.windows.has_acted(key)
        outcome = PASSED if not spent and found >= arming.windows else HELD
    return told("arming", outcome, _armed, (found, key, arming, bad, spent))


def _armed(
    found: int,
    key: str,
    arming: Arming,
    bad: bool,  # noqa: FBT001 - called with what `told` was given
    spent: bool,  # noqa: FBT001
) -> tuple[Mapping[str, Any], str]:
    inputs = {"badWindows": found, "needed": arming.windows, "of": arming.of, "window": key}
    if not bad:
        return inputs, f"{found} of the last {arming.of} data windows were bad"
    if spent:
        return inputs, f"the data window {key} has led to an action before"
    return inputs, f"{found} of the last {arming.of} data windows are bad, {arming.windows} must be"


def _well(rules: Sequence[RuleResult], evidence: Sequence[RuleResult]) -> bool:
    """Tell whether there is evidence that the model is well.

    Where the event tells the bee's metric, only that is evidence: quiet drift does not heal a bad score.
    """
    for rule in rules:
        if rule.name in _OF_METRIC:
            if rule.outcome is not CLEAR and rule.inputs["value"] is not None:
                return False
            break
    for rule in evidence:
        if rule.outcome is not CLEAR:
            return False
    return bool(evidence)


def sentence(evaluation: Evaluation, rules: Sequence[RuleResult], fired: Sequence[RuleResult]) -> str:
    """Return the sentences of what fired, else of the rules whose part of the event is there, else of all."""
    if fired:
        return "; ".join([rule.why for rule in fired])
    metrics, drift = evaluation.tells
    said = rules if metrics and drift else [rule for rule in rules if (drift if rule.name[:5] == "drift" else metrics)]
    return "; ".join([rule.why for rule in said or rules])

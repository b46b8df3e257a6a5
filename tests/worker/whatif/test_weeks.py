"""The demo's weeks of real mail as recorded, delivered badly: the triggers are those written by hand."""

import json
import random
from pathlib import Path

import pytest

from config.schema import SHIPPED, load_bees
from tests.worker.whatif.play import play, sent
from worker.bee import exact
from worker.decide.policy import Arming, MetricRule, Policy
from worker.intake.port import Message

WEEKS = [json.loads(line) for line in (Path(__file__).parent / "weeks.jsonl").read_text().splitlines()]
OLD, NEW = WEEKS[:-1], WEEKS[-1]
BEES = load_bees([SHIPPED])
BROKEN = [b"{broken", b'{"type": "model.evaluated", "beeId": "spam-guard", "metrics": {"f1": NaN}}', b"[]", b"\xff\xfe"]

#: policy → the evaluations that begin an incident, as a person reads them off the table of weekly F1:
#: .933 .857 – .902 .943 .861 .928 .966 .468 against .942; the last version has 6 positives, which is no evidence.
EXPECTED = [
    (Policy(), ["2002-10-01"]),
    (Policy(MetricRule(exact("0.55"))), []),
    (Policy(MetricRule(exact("0.05"))), ["2002-08-15", "2002-09-12", "2002-10-01"]),
    (Policy(MetricRule(exact("0.05")), arming=Arming(2, 3)), []),
    (Policy(MetricRule(None, floor=exact("0.9"))), ["2002-08-15", "2002-09-12", "2002-10-01"]),
    (Policy(metrics={"accuracy": MetricRule(exact("0.10"))}), ["2002-10-01"]),
]


@pytest.mark.parametrize(("policy", "expected"), EXPECTED)
def test_in_order_with_repeats_and_broken_messages(policy: Policy, expected: list[str]) -> None:
    """However often each is repeated and whatever stands between, the triggers are exactly these."""
    for seed in range(20):
        chance = random.Random(seed)
        messages: list[Message] = []
        for week in WEEKS:
            messages += [sent(week)] * chance.choice([1, 1, 2, 3])
            messages += [chance.choice(messages)] * chance.choice([0, 1])
            messages += [Message(chance.choice(BROKEN), {}, message_id=f"m{len(messages)}")] * chance.choice([0, 1])

        assert _begun(messages, policy) == expected


def test_in_any_order() -> None:
    """In whatever order the weeks come, the one drop of more than 20 % triggers, once; what it overtook is stale."""
    for seed in range(50):
        messages = [sent(week) for week in OLD]
        random.Random(seed).shuffle(messages)

        assert _begun([*messages, sent(NEW), *messages], Policy()) == ["2002-10-01"]


def test_a_drop_of_a_version_that_was_replaced_is_none() -> None:
    """What comes of the old version after the new one has appeared triggers nothing."""
    assert _begun([*(sent(week) for week in OLD[:-1]), sent(NEW), sent(OLD[-1])], Policy()) == []


def _begun(messages: list[Message], policy: Policy) -> list[str]:
    said = play(messages, policy, bees=BEES)[1]
    return [str(one["evaluatedAt"])[:10] for one in said if one and one["action"] == "trigger"]

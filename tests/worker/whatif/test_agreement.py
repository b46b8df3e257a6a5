"""A what-if says of every message exactly what the real handlers, ledger and timers say."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.events import event_handlers
from handlers.events.context import EventContext
from tests.worker.whatif.reference import Real
from tests.worker.whatif.streams import BEES, HOUR, ORDER, POLICIES, WALL, recordings
from tests.worker.world import version
from worker.cli.event_time import EventTime
from worker.decide.policy import Policy
from worker.intake.port import Message
from worker.models.port import Deployment
from worker.whatif.assumptions import Assumptions, Outcome
from worker.whatif.run import Case, WhatIf, decided, repeated
from worker.whatif.stream import Stream
from worker.whatif.versions import KnownVersions


def imagined(messages: Sequence[Message], policy: Policy, assumptions: Assumptions) -> list[Mapping[str, Any]]:
    """Return what a what-if says of each message."""
    versions = [version(name, bee) for bee, names in ORDER.items() for name in names]
    order = [Deployment(one.bee, 1, one.version, None, WALL, "", None) for one in versions]
    handlers = event_handlers(EventContext(lambda: BEES, Policy, assumptions.installation))
    known = KnownVersions(versions, order)
    stream = Stream(handlers, EventTime(lambda: WALL), known, lambda one: BEES[one.bee])
    whatif = WhatIf([Case("new", policy, assumptions)])
    said: list[Mapping[str, Any]] = []
    firsts: list[Mapping[str, Any]] = []
    for item in stream.items(messages):
        found, _ = whatif.take(item)
        if item.evaluation is None:
            said.append({"action": "dead letter", "reason": item.reason, "messageId": item.message_id})
        elif found is None:
            said.append(repeated(firsts[item.number]))
        else:
            firsts.append(decided(item, found, policy.version))
            said.append(firsts[-1])
    return said


def _without_bases(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a decision without what its estimate stands on: an assumed cost stands on no run."""
    rules = [
        {**rule, "inputs": {name: value for name, value in rule["inputs"].items() if name != "estimatedBy"}}
        for rule in said.get("rules", ())
    ]
    return {**said, "rules": rules} if "rules" in said else said


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    messages=recordings(),
    policy=POLICIES,
    outcome=st.sampled_from([Outcome.REFUSED, Outcome.FAILED, Outcome.DEPLOYED]),
    lasts=st.sampled_from([timedelta(0), HOUR, 30 * HOUR]),
    cost=st.sampled_from([Decimal(0), Decimal(2)]),
)
def test_a_what_if_is_what_would_be(
    messages: list[Message], policy: Policy, outcome: Outcome, lasts: timedelta, cost: Decimal
) -> None:
    """Over random recordings and policies each decision object is equal: action, rules, reason, run, incident."""
    real = Real(BEES, policy, ORDER, outcome.state, lasts, cost)
    expected = real.play(messages, WALL)

    found = imagined(messages, policy, Assumptions(outcome, lasts, cost, installation=real.ledger.installation))

    assert found == [_without_bases(one) for one in expected]

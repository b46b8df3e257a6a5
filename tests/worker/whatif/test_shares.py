"""Processes that share the bees of a recording find together what one finds alone."""

import os
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings

from handlers.events import event_handlers
from handlers.events.context import EventContext
from tests.worker.whatif.play import WALL, sent, told
from tests.worker.whatif.streams import POLICIES, recordings
from worker.cli.event_time import EventTime
from worker.cli.whatif_processes import in_shares
from worker.decide.policy import Breaker, Budget, Colony, Policy
from worker.intake.port import Message
from worker.whatif.assumptions import Assumptions
from worker.whatif.bees import TrustedBees
from worker.whatif.comparison import Differences
from worker.whatif.parts import Crossed, Part, apart, together
from worker.whatif.report import document
from worker.whatif.run import Case, WhatIf
from worker.whatif.shares import Share
from worker.whatif.stream import Stream
from worker.whatif.versions import TrustedVersions


def _whatif(policies: Sequence[Policy]) -> WhatIf:
    return WhatIf([Case(f"p{n}", one, Assumptions()) for n, one in enumerate(policies)], Differences())


def _stream(bees: TrustedBees) -> tuple[Stream, EventTime]:
    time_ = EventTime(lambda: WALL)
    handlers = event_handlers(EventContext(lambda: bees, Policy, "i"))
    return Stream(handlers, time_, TrustedVersions(), bees.of), time_


def _alone(messages: Sequence[Message], policies: Sequence[Policy]) -> WhatIf:
    whatif, (stream, _) = _whatif(policies), _stream(TrustedBees({}))
    for item in stream.items(messages):
        whatif.take(item)
    whatif.finish()
    return whatif


def _shared(messages: Sequence[Message], policies: Sequence[Policy], share: Share) -> Part:
    bees = TrustedBees({})
    whatif, (stream, time_) = _whatif(policies), _stream(bees)
    for item in stream.shared(messages, share):
        if item is None:
            whatif.skip()
        else:
            whatif.take(item)
    whatif.finish(time_.now())
    return whatif.part(stream.ids(), bees.found)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(messages=recordings(), one=POLICIES, two=POLICIES)
def test_shares_find_together_what_one_finds_alone(messages: list[Message], one: Policy, two: Policy) -> None:
    """Sums, periods, differences and dead letters of three shares are those of the whole, to the last digit."""
    policies = [Policy(**{**vars(policy), "colony": Colony()}) for policy in (one, two)]

    part = together([_shared(messages, policies, Share(number, 3)) for number in range(3)])

    whatif = _whatif(policies)
    whatif.take_over(part)
    assert document(whatif, [], {}) == document(_alone(messages, policies), [], {})


def test_one_id_for_bees_of_two_shares_is_not_taken_apart() -> None:
    """Where one id is of two shares' bees, neither can tell which came first: they are not laid together."""
    messages = [sent(told(day, bee=f"bee-{day}"), "the-same") for day in range(20)]

    with pytest.raises(Crossed):
        together([_shared(messages, [Policy(), Policy()], Share(number, 2)) for number in range(2)])


def test_processes_find_what_shares_find() -> None:
    """What the processes find comes in the order of the shares; one that dies ends the attempt."""

    def found(share: Share) -> Part:
        return _shared([sent(told(0, 0.5, bee=name)) for name in "abcdef"], [Policy(), Policy()], share)

    def dies(share: Share) -> Part:
        if not share.first:
            os._exit(9)
        return found(share)

    parts = in_shares(found)
    assert parts is not None
    assert sorted(name for part in parts for name in part.sums[0].bees) == list("abcdef")
    assert parts[0].found == found(Share(0, 2)).found
    assert in_shares(dies) is None


def test_bees_that_share_a_budget_are_not_taken_apart() -> None:
    """A limit for the whole colony makes bees depend on each other."""
    assert apart(Policy())
    assert apart(Policy(budget=Budget(runs_per_day=1), breaker=Breaker(failures=1)))
    for colony in (Colony(runs=1), Colony(breaker=Breaker(failures=2)), Colony(budget=Budget(runs_per_day=1))):
        assert not apart(Policy(colony=colony))

"""What a simulation does between the events: runs end, bars lift, questions expire, each at its own time."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.worker.whatif.play import DAY, actions, play, told
from worker.decide.policy import Approval, Budget, Colony, MetricRule, Policy, Retry, Verify
from worker.rollout_plan import RolloutSpec
from worker.whatif.assumptions import Assumptions, Outcome
from worker.whatif.bees import default_bee

HOUR = timedelta(hours=1)


def test_another_attempt_begins_when_its_back_off_is_over() -> None:
    """A refused run is tried again after a day and after two more, whether events come or not; then a person looks."""
    whatif, said = play([told(0, 0.5), told(0.5, 0.5), told(30, 0.5)])

    sums = whatif.cases[0].sums.of("ant")
    assert actions(said) == ["trigger", "attached", "attached"]
    assert (sums.runs, sums.escalated, sums.incidents) == (3, 1, 1)


def test_what_is_due_goes_before_the_event_whose_time_passes_it() -> None:
    """An evaluation in the moment of the back-off's end asks for the run itself; a later one joins the timer's."""
    assumed = Assumptions(lasts=HOUR)
    again = 1 + 1 / 24  # a run of an hour, and a day of back-off

    assert actions(play([told(0, 0.5), told(again, 0.5)], assumptions=assumed)[1]) == ["trigger", "trigger"]
    assert actions(play([told(0, 0.5), told(again, 0.9)], assumptions=assumed)[1]) == ["trigger", "none"]
    whatif, said = play([told(0, 0.5), told(again + 0.01, 0.5)], assumptions=assumed)
    assert actions(said) == ["trigger", "attached"]
    assert "attempt 2 is in flight" in str(said[1] and said[1]["reason"])
    assert whatif.cases[0].sums.of("ant").runs == 2


def test_runs_that_last_hold_others_back_until_they_end() -> None:
    """With room for one run the second bee waits, and begins in the moment in which the first one's ends."""
    policy = Policy(colony=Colony(runs=1))
    rows = [told(0, 0.5), told(0.1, 0.5, bee="bee"), told(0.4, 0.5, bee="bee")]

    whatif, said = play(rows, policy, assumptions=Assumptions(lasts=6 * HOUR))

    assert actions(said) == ["trigger", "held", "attached"]
    assert "1 of 1 runs at once" in str(said[1] and said[1]["reason"])
    assert whatif.cases[0].sums.of("bee").runs == 1
    assert whatif.cases[0].sums.in_flight == 1


def test_a_budget_holds_until_midnight() -> None:
    """What the day's budget holds back begins when the next day does, at the assumed cost."""
    policy = Policy(colony=Colony(budget=Budget(runs_per_day=1)), retry=Retry(limit=1))

    whatif, said = play(
        [told(0, 0.5), told(0.1, 0.5, bee="bee"), told(2, 0.9)], policy, assumptions=Assumptions(cost=Decimal("1.5"))
    )

    total = whatif.cases[0].sums.all()
    assert actions(said) == ["trigger", "held", "none"]
    assert (total.runs, total.cost, total.held_by["colony_budget_runs"]) == (2, Decimal("3.0"), 1)


def test_silence_on_a_question_is_taken_as_the_policy_says() -> None:
    """A run that nobody approves is escalated or begun, and a deployment refused or made, when the question expires."""
    for on_expiry, runs, escalated in (("refuse", 0, 1), ("approve", 1, 0)):
        policy = Policy(approval=Approval(runs="always", on_expiry=on_expiry), retry=Retry(limit=2))  # type: ignore[arg-type]
        whatif, _ = play([told(0, 0.5), told(1.5, 0.5)], policy)
        sums = whatif.cases[0].sums.of("ant")
        assert (sums.runs, sums.escalated, sums.asked >= 1) == (runs, escalated, True)
    for on_expiry, action in (("refuse", "attached"), ("approve", "trigger")):
        policy = Policy(approval=Approval(deployments="always", on_expiry=on_expiry))  # type: ignore[arg-type]
        _, said = play([told(0, 0.5), told(1.5, 0.55)], policy, assumptions=Assumptions(Outcome.DEPLOYED))
        assert actions(said) == ["trigger", action]


def test_an_assumed_model_that_is_worse_is_taken_back() -> None:
    """With `deployed` what follows is the new model's: worse than before it is rolled back, and production stays."""
    whatif, said = play([told(0, 0.5), told(1, 0.3), told(1.5, 0.3)], assumptions=Assumptions(Outcome.DEPLOYED))

    assert actions(said) == ["trigger", "attached", "attached"]
    assert "rolled back to version 1" in str(said[1] and said[1]["reason"])
    assert whatif.cases[0].sums.of("ant").rolled_back == 1


def test_recovered_is_well_until_the_recording_names_another_version() -> None:
    """With `recovered` one run ends the bad period, whatever the recording says, until production really moves on."""
    rows = [told(0, 0.5), told(1, 0.4), told(2, 0.3), told(3, 0.5, version="2")]

    whatif, said = play(rows, assumptions=Assumptions(Outcome.RECOVERED))

    assert actions(said) == ["trigger", "none", "none", "trigger"]
    assert "assumed well" in str(said[1] and said[1]["reason"])
    first, second = whatif.cases[0].sums.of("ant").periods.kept
    assert (first.lasted, second.end) == (DAY, None)


def test_what_is_assumed_recovered_is_so_by_every_bar() -> None:
    """With `recover` the assumed model is as well as before the incident, although a new baseline asks for less."""
    rows = [told(0, 0.5), told(1, 0.4, baseline={"f1": 0.5}), told(2, 0.5, baseline={"f1": 0.5})]
    policy = Policy(verify=Verify(recover=True))

    _, recovered = play(rows, policy, assumptions=Assumptions(Outcome.RECOVERED))
    _, deployed = play(rows, policy, assumptions=Assumptions(Outcome.DEPLOYED))

    assert actions(recovered) == ["trigger", "none", "none"]
    assert actions(deployed) == ["trigger", "trigger", "trigger"]
    assert "not recovered: f1 0.5 against 0.9 when the incident opened" in str(deployed[2] and deployed[2]["reason"])


def test_two_policies_are_compared_event_by_event() -> None:
    """What another threshold decides otherwise is told with both actions, and the sums stand beside each other."""
    strict, loose = Policy(MetricRule(Decimal("0.2"))), Policy(MetricRule(Decimal("0.5")))

    whatif, _ = play([told(0, 0.6), told(1, 0.95), told(2, 0.3)], strict, loose)

    assert whatif.differences is not None
    assert dict(whatif.differences.counts) == {("none", "trigger"): 1}
    assert whatif.differences.kept[0].at == "2002-08-01T00:00:00Z"
    assert [case.sums.all().runs for case in whatif.cases] == [2, 1]


def test_how_long_it_was_bad() -> None:
    """A bad period lasts from the first bad evaluation to the next good one; what is undefined does not end it."""
    rows = [told(0, 0.9), told(1, 0.5), told(2, 0.9, metrics={"f1": None}), told(3, 0.4), told(5, 0.9), told(6, 0.5)]

    periods = play(rows)[0].cases[0].sums.of("ant").periods

    first, second = periods.kept
    assert (first.lasted, first.evaluations, first.first_run) == (4 * DAY, 2, first.begin)
    assert (second.end, second.lasted) == (None, timedelta(0))
    assert (periods.count, periods.total, periods.longest) == (2, 4 * DAY, 4 * DAY)


@pytest.mark.parametrize("policy", [Policy(), Policy(approval=Approval(deployments="always", on_expiry="approve"))])
def test_a_model_that_goes_in_steps_is_taken_for_verified(policy: Policy) -> None:
    """No recording tells of both its versions: the incident closes as the run ends, and that is said."""
    staged = default_bee("ant", "f1").model_copy(update={"rollout": RolloutSpec(strategy="canary")})
    assumed = Assumptions(Outcome.DEPLOYED)

    whatif, said = play([told(0, 0.5), told(9, 0.5)], policy, assumptions=assumed, bees={"ant": staged})

    assert actions(said) == ["trigger", "trigger"]
    sums = whatif.cases[0].sums.of("ant")
    assert (sums.incidents, sums.runs, sums.closed) == (2, 2, 2 if policy == Policy() else 1)
    assert any("taken for verified" in sentence for sentence in assumed.sentences())
    assert not any("taken for verified" in sentence for sentence in Assumptions().sentences())

"""A run that a person cancelled: no evidence against the model, no attempt by itself, and nothing lost."""

from dataclasses import replace
from datetime import timedelta

from handlers.commands.cancel_run import cancel_run
from handlers.commands.tend_incident import retry_incident
from tests.worker.runs.colony import HOUR, Colony
from tests.worker.world import BEE
from worker.decide.memory import Tally
from worker.decide.policy import Arming, Breaker, Policy, Retry
from worker.engine.state import Status
from worker.incidents.machine import State
from worker.runs.explain import Explainer


def _cancelled(colony: Colony) -> None:
    """Let a person cancel the run in flight, and the loops carry it out."""
    (run,) = [run for run in colony.runs(BEE.bee) if not run.settled]
    cancel_run(run.id, colony.ledger)
    colony.end_run(status=Status.CANCELLED)


def _tally(colony: Colony) -> Tally:
    with colony.ledger.begin(write=False) as transaction:
        return transaction.memories.of(BEE.bee).tally


def test_nothing_begins_by_itself_and_the_next_bad_window_asks_again(colony: Colony) -> None:
    """However long it waits: only an evaluation of another window begins the next attempt."""
    colony.evaluate()
    meanwhile = colony.evaluate()
    _cancelled(colony)

    assert meanwhile["action"] == "attached"
    assert colony.pass_time(400 * 24 * HOUR) == []
    incident = colony.incident()
    assert (incident.state, incident.attempt, incident.tries) == (State.OPEN, 1, 0)
    assert incident.waiting is not None
    assert incident.waiting.why.startswith("a person cancelled attempt 1: the next bad data window asks for another")
    said = colony.evaluate()
    assert said["action"] == "trigger"
    assert (colony.incident().id, colony.incident().attempt) == (incident.id, 2)


def test_the_window_that_led_to_the_cancelled_run_does_not_ask_again(colony: Colony) -> None:
    """The same window sent once more joins the incident and says what it waits for."""
    window = {"id": "w", "sampleCount": 437, "positiveCount": 90}
    colony.evaluate(window=window)
    _cancelled(colony)
    colony.now += HOUR

    said = colony.evaluate(window=window)

    assert said["action"] == "attached"
    assert "a person cancelled attempt 1" in said["reason"]


def test_a_person_may_ask_for_it_at_once(colony: Colony) -> None:
    """`colony incident retry` begins the next attempt, though no label is new: nothing was learned from the last."""
    colony.labels = 0
    colony.evaluate()
    _cancelled(colony)
    colony.pass_time(timedelta(minutes=1))

    _, run = retry_incident(colony.operator(), colony.incident().id, "it was the wrong one")

    assert run is not None
    assert run.attempt == 2


def test_a_well_model_closes_it(colony: Colony) -> None:
    """An incident whose run was cancelled ends as every other: by a well window."""
    colony.evaluate()
    _cancelled(colony)
    colony.now += HOUR

    assert colony.evaluate(metrics={"f1": 0.9})["action"] == "none"
    assert colony.incident().state is State.CLOSED


def test_it_counts_for_no_limit(colony: Colony) -> None:
    """Neither the attempts nor the breaker take it for a failure; a trial that was none is made again."""
    colony.policy = Policy(retry=Retry(limit=1), breaker=Breaker(failures=1, pause=9 * HOUR))
    for attempt in (1, 2, 3):
        assert colony.evaluate()["action"] == "trigger"
        _cancelled(colony)
        assert (colony.incident().attempt, colony.incident().state) == (attempt, State.OPEN)
    assert (_tally(colony).failures, _tally(colony).open_until) == ((), None)

    colony.evaluate()
    colony.refuse_run()

    assert colony.incident().state is State.ESCALATED
    assert colony.incident().story[-1]["reason"] == "1 of 1 attempts did not mend it, a person must look"


def test_a_cancelled_trial_is_made_again(colony: Colony) -> None:
    """The breaker stays half-open: the next window's run is the trial."""
    colony.policy = Policy(breaker=Breaker(failures=1, pause=9 * HOUR), retry=Retry(limit=9, backoff=timedelta(0)))
    colony.evaluate()
    colony.refuse_run()
    (trial,) = [*colony.pass_time(), *colony.pass_time(9 * HOUR)]
    assert trial.attempt == 2
    _cancelled(colony)

    said = colony.evaluate()

    assert said["action"] == "trigger"
    words = {rule["name"]: rule["why"] for rule in said["rules"]}
    assert words["breaker"] == "the circuit breaker is half-open: this run is its trial"


def test_it_has_to_be_armed_again(colony: Colony) -> None:
    """With two bad windows of two asked for, one after the cancellation is not enough."""
    colony.policy = Policy(arming=Arming(2, 2))
    colony.evaluate()
    colony.evaluate()
    _cancelled(colony)

    assert [colony.evaluate()["action"] for _ in range(2)] == ["attached", "trigger"]


def test_a_guard_that_holds_the_next_one_lets_it_go_by_itself(colony: Colony) -> None:
    """Asked for again the attempt waits as any other: what the guard held begins when that lifts."""
    colony.policy = Policy(cooldown=6 * HOUR)
    colony.evaluate()
    _cancelled(colony)
    colony.now += HOUR

    said = colony.evaluate()

    assert said["action"] == "held"
    assert "cooling down until 2002-10-01T18:00:00Z" in said["reason"]
    assert len(colony.pass_time(5 * HOUR)) == 1


def test_why_says_whose_will_it_was(colony: Colony) -> None:
    """A newcomer reads that a person cancelled it, that time alone begins nothing, and what does."""
    colony.evaluate()
    _cancelled(colony)

    with colony.ledger.begin(write=False) as transaction:
        (found,) = Explainer(transaction, colony.bees, colony.policy, colony.now).explain(BEE.bee)

    story = next(section for section in found.sections if section.title.startswith("The story"))
    assert any("a person cancelled the run" in line.why for line in story.lines)
    assert found.following.startswith("Attempt 2 waits: a person cancelled attempt 1")
    assert f"colony incident retry {colony.incident().id}" in found.following


def test_a_policy_or_a_pause_does_not_begin_it(colony: Colony) -> None:
    """Another version of the policy lifts bars, not a person's will."""
    colony.evaluate()
    _cancelled(colony)
    colony.policy = replace(colony.policy, version="another")

    assert colony.pass_time(HOUR) == []

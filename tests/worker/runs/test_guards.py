"""Each guard alone, and every two of them: the journal says what held the run back, and the run comes later."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from itertools import combinations

import pytest

from handlers.commands.answer_question import answer_question
from handlers.commands.pause import pause
from tests.worker import world
from tests.worker.runs.colony import HOUR, Colony
from tests.worker.world import BEE, OTHER
from worker.decide.memory import BeeMemory, Tally, day_of, month_of
from worker.decide.policy import Approval, Arming, Breaker, Budget, FeatureRule, Policy, Retry
from worker.engine.state import Status
from worker.incidents.machine import State
from worker.monitor.finding import FeatureFindings, Finding
from worker.runs.lifecycle import Verdict, concluded

#: Beyond every bar: another day, another month, every pause over.
LATER = timedelta(days=40)


@dataclass(frozen=True)
class Guard:
    """One guard switched on: what the policy says, what was before, its words, and what a test does to lift it."""

    name: str
    words: str
    policy: Callable[[Policy], Policy] = lambda policy: policy
    before: Callable[[Colony], object] = lambda _: None
    lift: Callable[[Colony], object] = lambda _: None


def _memory(change: Callable[[Colony, BeeMemory], BeeMemory]) -> Callable[[Colony], None]:
    def before(colony: Colony) -> None:
        with colony.ledger.begin() as transaction:
            memory = transaction.memories.of(BEE.bee)
            transaction.memories.save(BEE.bee, change(colony, memory))

    return before


def _tally(**changes: object) -> Callable[[Colony], None]:
    return _memory(lambda _, memory: replace(memory, tally=replace(memory.tally, **changes)))  # type: ignore[arg-type]


def _shared(**changes: object) -> Callable[[Colony], None]:
    def before(colony: Colony) -> None:
        with colony.ledger.begin() as transaction:
            memory = transaction.memories.colony(lock=True)
            tally: Tally = replace(memory.tally, **changes)  # type: ignore[arg-type]
            transaction.memories.save_colony(replace(memory, tally=tally))

    return before


def _colony_wide(**changes: object) -> Callable[[Policy], Policy]:
    return lambda policy: replace(policy, colony=replace(policy.colony, **changes))  # type: ignore[arg-type]


def _run_of_another_bee(colony: Colony) -> None:
    world.put_into_production(colony.ledger, bee=OTHER.bee)
    policy, colony.policy = colony.policy, Policy()
    said = colony.evaluate(OTHER.bee, metrics={"loss": 0.9}, baseline={"loss": 0.2})
    assert said["action"] == "trigger"
    colony.policy = policy


def _settle(bee: str) -> Callable[[Colony], None]:
    def lift(colony: Colony) -> None:
        with colony.ledger.begin() as transaction:
            run = transaction.runs.in_flight(bee)
            assert run is not None
            transaction.runs.save(concluded(replace(run, status=Status.SUCCEEDED), Verdict.REJECTED, None))

    return lift


#: Kinds that are held for, and one that is not.
STALE = Finding("stale", "its newest value is 9d old"), Finding("range", "7 values lie outside 0 to 1")


def _broken(found: tuple[Finding, ...] = ()) -> Callable[[Colony], None]:
    def before(colony: Colony) -> None:
        with colony.ledger.begin() as transaction:
            transaction.features.found(FeatureFindings("user_reputation_score", colony.now - HOUR, colony.now, found))

    return before


def _approve(colony: Colony) -> None:
    colony.pass_time()
    (question,) = colony.questions()
    answer_question(colony.operator("bob"), question.id, approve=True)


NOW_DAY, NOW_MONTH = day_of(world.NOW), month_of(world.NOW)
OPEN = {"failures": (world.NOW - HOUR,), "open_until": world.NOW + 9 * HOUR}
BREAKER = Breaker(failures=1, pause=9 * HOUR)
GUARDS = [
    Guard("pause", "paused by ann (moving house) until 2002-10-02T12:00:00Z",
          before=lambda colony: pause(colony.operator(), BEE.bee, "moving house", colony.now + 24 * HOUR)),
    Guard("colony_pause", "the whole colony is paused by ann (a release) until 2002-10-03T12:00:00Z",
          before=lambda colony: pause(colony.operator(), None, "a release", colony.now + 48 * HOUR)),
    Guard("cooldown", "cooling down until 2002-10-01T17:00:00Z (6h after an action)",
          lambda policy: replace(policy, cooldown=6 * HOUR),
          _memory(lambda colony, memory: memory.acted(colony.now - HOUR, colony.now - HOUR))),
    Guard("breaker", "the circuit breaker is open until 2002-10-01T21:00:00Z after 1 failure",
          lambda policy: replace(policy, breaker=BREAKER), _tally(**OPEN)),
    Guard("colony_breaker", "the colony's circuit breaker is open until 2002-10-01T21:00:00Z after 1 failure",
          _colony_wide(breaker=BREAKER), _shared(**OPEN)),
    Guard("budget_runs", "1 of 1 runs of the day are used",
          lambda policy: replace(policy, budget=replace(policy.budget, runs_per_day=1)),
          _tally(day=NOW_DAY, runs=1)),
    Guard("budget_cost", "3.00 of 3.00 of the month are spent",
          lambda policy: replace(policy, budget=replace(policy.budget, cost_per_month=Decimal(3))),
          _tally(month=NOW_MONTH, cost=Decimal(3))),
    Guard("colony_budget_runs", "7 of 7 runs of the day are used in the whole colony",
          lambda policy: _colony_wide(budget=replace(policy.colony.budget, runs_per_day=7))(policy),
          _shared(day=NOW_DAY, runs=7)),
    Guard("colony_budget_cost", "9.00 of 9.00 of the month are spent in the whole colony",
          lambda policy: _colony_wide(budget=replace(policy.colony.budget, cost_per_month=Decimal(9)))(policy),
          _shared(month=NOW_MONTH, cost=Decimal(9))),
    Guard("concurrent_runs", "1 of 1 runs at once are in flight", _colony_wide(runs=1),
          _run_of_another_bee, _settle(OTHER.bee)),
    Guard("features", "never trained on a broken feature: user_reputation_score: its newest value is 9d old",
          lambda policy: replace(policy, features=FeatureRule(hold=("missing", "stale"))), _broken(STALE), _broken()),
    Guard("one_run_per_bee", "of this bee is in flight",
          before=lambda colony: world.ask_for_run(colony.ledger), lift=_settle(BEE.bee)),
]  # fmt: skip
ALONE = {guard.name: guard for guard in GUARDS}
ASKED = Approval(runs="always", expires=400 * LATER)
APPROVAL = Guard(
    "approval", "waits for a person's approval", lambda policy: replace(policy, approval=ASKED), lift=_approve
)
ARMING = Guard("arming", "not armed yet: 1 of the last 2 data windows are bad, 2 must be",
               lambda policy: replace(policy, arming=Arming(2, 2)), lift=lambda colony: colony.evaluate())  # fmt: skip


def _switched_on(colony: Colony, *guards: Guard) -> None:
    for guard in guards:
        colony.policy = guard.policy(colony.policy)
    # What other bees do comes first: it is counted, too.
    for guard in sorted(guards, key=lambda one: one.name != "concurrent_runs"):
        guard.before(colony)


def _own_runs(colony: Colony) -> list[str]:
    return [run.id for run in colony.runs(BEE.bee) if run.trigger == "drift"]


def _lifted(colony: Colony, *guards: Guard) -> None:
    colony.now += LATER
    for guard in guards:
        guard.lift(colony)
    colony.pass_time()


def _check_begun(colony: Colony) -> None:
    (run,) = _own_runs(colony)
    incident = colony.incident()
    assert (incident.state, incident.attempt) == (State.RETRAINING, 1)
    assert world.get_run(colony.ledger, run).incident_id == incident.id


@pytest.mark.parametrize("guard", [*GUARDS, APPROVAL, ARMING], ids=lambda guard: guard.name)
def test_each_guard_holds_and_the_trigger_runs_later(colony: Colony, guard: Guard) -> None:
    """One guard holds the trigger back and says so in words; once it lifts the held trigger runs."""
    _switched_on(colony, guard)

    said = colony.evaluate()

    assert said["action"] == "held"
    assert guard.words in said["reason"]
    assert [rule["name"] for rule in said["rules"] if rule["outcome"] == "held"] == [guard.name]
    assert _own_runs(colony) == []
    assert colony.pass_time(timedelta(minutes=1)) == []
    _lifted(colony, guard)
    _check_begun(colony)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_that_does_not_hold_lets_through(colony: Colony, guard: Guard) -> None:
    """With the guard switched on and nothing before, the first trigger runs at once."""
    colony.policy = guard.policy(colony.policy)

    said = colony.evaluate()

    assert said["action"] == "trigger"
    assert "held" not in {rule["outcome"] for rule in said["rules"]}


@pytest.mark.parametrize(("first", "second"), list(combinations(ALONE, 2)))
def test_two_guards_hold_together(colony: Colony, first: str, second: str) -> None:
    """Both say what they hold for; with one of them lifted the other still holds; with both the trigger runs."""
    guards = (ALONE[first], ALONE[second])
    _switched_on(colony, *guards)

    said = colony.evaluate()

    assert said["action"] == "held"
    assert all(guard.words in said["reason"] for guard in guards)
    assert [rule["name"] for rule in said["rules"] if rule["outcome"] == "held"] == [
        name for name in _order(said) if name in {first, second}
    ]
    assert colony.pass_time(timedelta(minutes=1)) == []
    assert _own_runs(colony) == []
    _lifted(colony, *guards)
    _check_begun(colony)


def _order(said: dict[str, object]) -> list[str]:
    rules = said["rules"]
    assert isinstance(rules, list)
    return [rule["name"] for rule in rules]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_person_is_asked_once_nothing_else_holds(colony: Colony, guard: Guard) -> None:
    """Nobody is asked while a guard holds; when it has lifted the question goes out, and the answer begins the run."""
    _switched_on(colony, guard, APPROVAL)

    said = colony.evaluate()

    assert guard.words in said["reason"]
    assert colony.questions() == []
    colony.now += LATER
    guard.lift(colony)
    assert colony.pass_time() == []
    waiting = colony.incident().waiting
    assert waiting is not None
    assert APPROVAL.words in waiting.why
    _approve(colony)
    _check_begun(colony)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_what_is_armed_late_is_held_all_the_same(colony: Colony, guard: Guard) -> None:
    """The first bad window arms nothing; the second does, and then the guard holds."""
    colony.policy = ARMING.policy(colony.policy)
    _switched_on(colony, guard)

    assert ARMING.words in colony.evaluate()["reason"]
    said = colony.evaluate()

    assert guard.words in said["reason"]
    _lifted(colony, guard)
    _check_begun(colony)


@pytest.mark.parametrize("guard", [*GUARDS, APPROVAL], ids=lambda guard: guard.name)
def test_nothing_new_with_each_other_guard(colony: Colony, guard: Guard) -> None:
    """A second attempt without new labels waits and says so, whatever else holds it; with labels it runs."""
    colony.policy = Policy(retry=Retry(backoff=timedelta(0)))
    colony.labels = 0
    colony.evaluate()
    colony.refuse_run()
    first = _own_runs(colony)
    _switched_on(colony, guard)

    assert colony.pass_time() == []

    waiting = colony.incident().waiting
    assert waiting is not None
    assert "nothing new: no label has become known since the last attempt" in waiting.why
    assert _own_runs(colony) == first
    assert (guard.words in waiting.why) == (guard.name != "approval")
    colony.labels = 12
    _lifted(colony, guard)
    assert len(_own_runs(colony)) == 2


def test_arming_and_then_a_person(colony: Colony) -> None:
    """Nobody is asked before the second bad window arms; then the run waits for the word, and begins on it."""
    _switched_on(colony, ARMING, APPROVAL)

    assert ARMING.words in colony.evaluate()["reason"]
    assert colony.questions() == []
    assert APPROVAL.words in colony.evaluate()["reason"]

    _approve(colony)
    _check_begun(colony)


def test_arming_and_nothing_new(colony: Colony) -> None:
    """A deployed model that is bad again has to be armed first; then the attempt waits for labels, and runs."""
    _switched_on(colony, ARMING)
    colony.labels = 0
    colony.evaluate()
    colony.evaluate()
    colony.end_run()
    version = colony.champion()

    first = colony.evaluate(modelVersion=version, metrics={"f1": 0.5})
    second = colony.evaluate(modelVersion=version, metrics={"f1": 0.5})

    assert (first["action"], second["action"]) == ("attached", "held")
    assert ARMING.words in first["reason"]
    assert "nothing new: no label has become known since the last attempt" in second["reason"]
    colony.labels = 12
    assert [run.attempt for run in colony.pass_time(LATER)] == [2]


@pytest.mark.parametrize("guard", [*GUARDS, APPROVAL], ids=lambda guard: guard.name)
def test_a_bee_that_is_only_observed_with_each_other_guard(colony: Colony, guard: Guard) -> None:
    """Nothing is even asked for while the mode is observe; in mode act the same guard holds, and lets go later."""
    _switched_on(colony, guard)
    acting = colony.bees
    colony.bees = {**acting, BEE.bee: BEE.model_copy(update={"mode": "observe"})}

    said = colony.evaluate()

    assert (said["action"], _own_runs(colony), colony.questions()) == ("held", [], [])
    assert "would retrain, but the bee's mode is observe" in said["reason"]
    colony.bees = acting
    assert guard.words in colony.evaluate()["reason"]
    _lifted(colony, guard)
    _check_begun(colony)


@pytest.mark.parametrize("guard", [*GUARDS, APPROVAL], ids=lambda guard: guard.name)
def test_a_back_off_and_then_each_guard(colony: Colony, guard: Guard) -> None:
    """A second attempt waits for its back-off first; what holds it then says so, and it runs once that lifts."""
    colony.policy = Policy(retry=Retry(backoff=timedelta(hours=1)))
    colony.evaluate()
    colony.refuse_run()
    _switched_on(colony, guard)
    assert colony.pass_time(timedelta(minutes=30)) == []
    waiting = colony.incident().waiting
    assert waiting is not None
    assert waiting.why == "attempt 1 of 3 refused; tried again after 1h"

    assert colony.pass_time(timedelta(minutes=30)) == []

    waiting = colony.incident().waiting
    assert waiting is not None
    assert guard.words in waiting.why
    _lifted(colony, guard)
    assert [run.attempt for run in colony.runs(BEE.bee) if run.trigger == "drift"] == [1, 2]


def test_what_is_only_observed_is_told_and_never_runs(colony: Colony) -> None:
    """In mode observe the journal says that it would retrain; once the mode is act the next bad window does."""
    colony.bees = {**colony.bees, BEE.bee: BEE.model_copy(update={"mode": "observe"})}

    said = colony.evaluate()

    assert (said["action"], _own_runs(colony)) == ("held", [])
    assert "would retrain, but the bee's mode is observe" in said["reason"]
    colony.pass_time(LATER)
    assert _own_runs(colony) == []
    colony.bees = {**colony.bees, BEE.bee: BEE}
    assert colony.evaluate()["action"] == "trigger"


def test_another_policy_is_asked_at_once(colony: Colony) -> None:
    """What a budget holds until tomorrow begins today when the policy allows more."""
    colony.policy = Policy(budget=Budget(runs_per_day=0), version="strict")
    assert colony.evaluate()["action"] == "held"
    assert colony.pass_time(timedelta(minutes=1)) == []

    colony.policy = Policy(budget=Budget(runs_per_day=1), version="lenient")

    assert len(colony.pass_time(timedelta(minutes=1))) == 1


def test_a_lenient_policy_does_not_shorten_a_back_off(colony: Colony) -> None:
    """A back-off is no guard: another version of the policy leaves it as it was."""
    colony.policy = Policy(retry=Retry(backoff=24 * HOUR), version="one")
    colony.evaluate()
    colony.refuse_run()

    colony.policy = Policy(retry=Retry(backoff=24 * HOUR), version="two")

    assert colony.pass_time(23 * HOUR) == []
    assert len(colony.pass_time(HOUR)) == 1


def test_a_budget_is_told_once_in_its_period(colony: Colony) -> None:
    """The first trigger that meets it tells of it, later ones do not; the next day's does again."""
    colony.policy = Policy(budget=Budget(runs_per_day=0), version="p")
    for _ in range(3):
        colony.evaluate()
        colony.pass_time(timedelta(minutes=1))

    (told,) = colony.events("budget.exceeded")
    assert (told["budget"], told["scope"], told["period"]) == ("budget_runs", "bee", "2002-10-01")
    assert told["reason"] == "0 of 0 runs of the day are used"
    colony.pass_time(24 * HOUR)
    assert [one["period"] for one in colony.events("budget.exceeded")] == ["2002-10-01", "2002-10-02"]


def test_a_breaker_that_opens_is_told(colony: Colony) -> None:
    """The run that is one failure too many opens the breaker, and the world hears of it once."""
    colony.policy = Policy(breaker=Breaker(failures=1, pause=9 * HOUR), retry=Retry(backoff=timedelta(0)))
    colony.evaluate()
    colony.refuse_run()
    colony.pass_time(HOUR)

    (told,) = colony.events("breaker.opened")
    assert (told["scope"], told["until"]) == ("bee", "2002-10-01T21:00:00Z")
    waiting = colony.incident().waiting
    assert waiting is not None
    assert "the circuit breaker is open until 2002-10-01T21:00:00Z" in waiting.why
    assert len(colony.pass_time(8 * HOUR)) == 1

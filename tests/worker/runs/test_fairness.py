"""With room for few runs: the most severe goes first, and no bee starves, whoever else keeps coming."""

from datetime import timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker import world
from tests.worker.runs.colony import HOUR, Colony
from tests.worker.world import BEE
from worker.decide.course import fair_order
from worker.decide.policy import SEVERITIES, DriftRule, Policy, Retry
from worker.decide.policy import Colony as Shared
from worker.incidents.machine import Incident, State, Waiting

NAMES = [f"bee-{letter}" for letter in "abcde"]
STARVING = 4 * HOUR
POLICY = Policy(
    drift=DriftRule(severity="low", at_least=True),
    retry=Retry(limit=1000, backoff=timedelta(0)),
    colony=Shared(runs=1, starving=STARVING),
)
EVENTS = st.lists(
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(SEVERITIES[1:])), max_size=4), min_size=3, max_size=14
)


def _colony(names: list[str]) -> Colony:
    ledger = world.memory_ledger()
    for name in names:
        world.put_into_production(ledger, bee=name)
    return Colony(ledger, POLICY, {name: BEE.model_copy(update={"bee": name}) for name in names})


def _drifts(colony: Colony, bee: str, severity: str) -> str:
    said = colony.evaluate(bee, metrics={"f1": 0.89}, drift={"detected": True, "severity": severity})
    return str(said["action"])


def _flying(colony: Colony) -> list[str]:
    return [run.bee for run in colony.runs() if not run.settled]


@settings(max_examples=15, deadline=None)
@given(hours=EVENTS)
def test_no_bee_starves(hours: list[list[tuple[str, str]]]) -> None:
    """Whatever comes, at most one run is in flight, and who waits for room gets it: the hungry before all others."""
    colony = _colony(NAMES)
    # Every run ends within its hour, so that a hungry bee waits at most for those that are hungry, too.
    bound = STARVING + (len(NAMES) + 1) * HOUR
    for events in hours:
        for bee, severity in events:
            _drifts(colony, bee, severity)
            assert len(_flying(colony)) <= 1
        for bee in _flying(colony):
            colony.refuse_run(bee)
        colony.pass_time(HOUR)
        assert len(_flying(colony)) <= 1
        for bee in NAMES:
            _check_fed(colony, bee, bound)
    colony.ledger.close()


def _check_fed(colony: Colony, bee: str, bound: timedelta) -> None:
    with colony.ledger.begin(write=False) as transaction:
        incident = transaction.incidents.open_for(bee)
    if incident is not None and incident.waiting is not None and incident.state is not State.GATED:
        assert colony.now - incident.waiting.since <= bound


def test_the_most_severe_goes_first_and_the_hungry_before_it() -> None:
    """A slot goes to the worst that waits; one that has waited for too long goes before it."""
    colony = _colony(NAMES[:4])
    first, mild, severe, other = NAMES[:4]
    assert _drifts(colony, first, "high") == "trigger"
    assert [_drifts(colony, mild, "low"), _drifts(colony, severe, "critical")] == ["held", "held"]
    colony.now += timedelta(minutes=1)
    colony.refuse_run(first)

    (begun,) = colony.pass_time(HOUR)
    assert begun.bee == severe
    colony.refuse_run(severe)
    assert _drifts(colony, other, "critical") == "held", "a new one must not overtake those that wait for room"
    (begun,) = colony.pass_time(3 * HOUR)

    assert begun.bee == mild
    colony.ledger.close()


def test_a_new_trigger_does_not_overtake() -> None:
    """Room that is there belongs to those that wait for it; a new trigger says so and queues."""
    colony = _colony(NAMES[:3])
    first, second, third = NAMES[:3]
    _drifts(colony, first, "high")
    _drifts(colony, second, "high")
    colony.now += timedelta(minutes=1)
    colony.refuse_run(first)

    said = colony.evaluate(third, metrics={"f1": 0.89}, drift={"detected": True, "severity": "high"})

    assert said["action"] == "held"
    assert "0 of 1 runs at once are in flight, and 1 bees that go first wait for room" in said["reason"]
    (begun,) = colony.pass_time()
    assert begun.bee == second
    colony.ledger.close()


def test_a_bee_that_is_gone_blocks_nobody() -> None:
    """The incident of a bee that is not configured any more does not stand in the queue."""
    colony = _colony(NAMES[:3])
    first, second, third = NAMES[:3]
    _drifts(colony, first, "high")
    _drifts(colony, second, "high")
    colony.bees = {name: bee for name, bee in colony.bees.items() if name != second}
    colony.refuse_run(first)
    colony.now += timedelta(minutes=1)

    assert _drifts(colony, third, "high") in {"trigger", "held"}
    colony.pass_time()
    assert len(_flying(colony)) == 1
    colony.ledger.close()


WAITING = st.builds(
    lambda bee, hours, severity: Incident(
        f"i{bee}", bee, State.OPEN, 0, world.NOW, world.NOW, "1",
        waiting=Waiting("room", world.NOW - hours * HOUR, severity=severity),
    ),
    st.sampled_from(NAMES), st.integers(0, 9), st.integers(0, 4),
)  # fmt: skip


@given(waiting=st.lists(WAITING, max_size=5, unique_by=lambda one: one.bee))
def test_fair_order(waiting: list[Incident]) -> None:
    """The hungry first, the oldest before all; then by severity, within one the oldest; nobody is left out."""
    order = fair_order(waiting, world.NOW, STARVING)

    assert sorted(one.bee for one in order) == sorted(one.bee for one in waiting)
    for before, after in pairwise(order):
        first, second = before.waiting, after.waiting
        assert first is not None
        assert second is not None
        hungry = [world.NOW - one.since >= STARVING for one in (first, second)]
        assert hungry != [False, True]
        if hungry == [True, True]:
            assert first.since <= second.since
        if hungry == [False, False]:
            assert first.severity >= second.severity

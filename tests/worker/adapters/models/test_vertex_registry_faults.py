import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import grpc
import pytest

from tests.google_server import Fault
from tests.worker.adapters.models.mortal import Fate, Killed, mortal
from tests.worker.adapters.models.registry_server import RegistryServer
from tests.worker.adapters.models.registry_world import (
    ALONE,
    END,
    HOLD,
    ONCE,
    Colony,
    Parts,
    end,
    story,
)
from tests.worker.world import BEE
from worker.adapters.models.vertex_client import clients
from worker.errors import TryLater

Make = Callable[..., Colony]
CODES = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "INTERNAL")
METHODS = (
    "UploadModel",
    "GetModel",
    "ListModelVersions",
    "MergeVersionAliases",
    "CreateEndpoint",
    "GetEndpoint",
    "UpdateEndpoint",
    "DeployModel",
    "UndeployModel",
    "GetOperation",
)
#: What may not be done twice is called once; a fault of anything else shows only without patience.
EFFECTS = ("UploadModel", "CreateEndpoint", "DeployModel", "UndeployModel")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("code", [*CODES, "CANCELLED", "cut"])
def test_faults_of_what_must_not_be_done_twice(make: Make, code: str, *, after: bool) -> None:
    """Uploads and deployments whose answers are lost are found again; those that never came about are repeated."""
    colony = make()
    for method in EFFECTS:
        colony.server.fail(method, _fault(code, after=after), _fault(code, after=after))

    assert story(colony) == END


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("method", EFFECTS)
def test_a_lost_answer_where_operations_cannot_be_listed(make: Make, method: str, *, after: bool) -> None:
    """Without a list of operations, what shows itself in time is found by its label or its name."""
    colony = make()
    colony.server.lists_operations = False
    colony.server.fail(method, Fault(after_effect=after))

    assert story(colony) == END


def test_a_lost_answer_of_something_slow(make: Make) -> None:
    """An operation whose name was lost is found among those under way, however long it takes; nothing is done twice."""
    colony = make(stages=60)
    for method in EFFECTS:
        colony.server.fail(method, Fault(after_effect=True), Fault(after_effect=True))
    for number in "12":
        colony.add(number)
        colony.promote(number)
        colony.settle(turns=200)
    colony.now += HOLD
    colony.settle(turns=200)

    assert (colony.traffic(), end(colony)["versions"]) == ({"2": 100}, [2])
    assert [colony.server.count(method) for method in EFFECTS] == [2, 1, 2, 1]


def test_what_is_done_may_show_late(make: Make) -> None:
    """Between the end of an operation and the moment that its effect is seen nothing is begun anew."""
    colony = make()
    colony.server.lag = 5

    assert story(colony) == END
    assert [colony.server.count(method) for method in EFFECTS] == [2, 1, 2, 1]


@pytest.mark.parametrize("code", [*CODES, "cut"])
def test_faults_of_what_may_be_done_again(make: Make, code: str) -> None:
    """Whatever else goes wrong, before or after its effect, costs a turn and changes nothing in the end."""
    colony = make(patience=ONCE)
    for method in set(METHODS) - set(EFFECTS):
        colony.server.fail(method, _fault(code), _fault(code, after=True))

    assert story(colony) == END


@pytest.mark.parametrize("method", METHODS)
def test_one_fault_each(make: Make, method: str) -> None:
    """Each call for itself may go wrong before its effect, and the next time after it."""
    colony = make(patience=ONCE)
    colony.server.fail(method, Fault(), Fault(after_effect=True))

    assert story(colony) == END


@pytest.mark.parametrize("seed", range(5))
def test_faults_at_random(make: Make, seed: int) -> None:
    """Where every third call goes wrong in one way or another, operations too, the end is the same."""
    chance = random.Random(seed)
    colony = make(patience=ONCE)
    for method in (*METHODS, "ListOperations"):
        drawn = (chance.choice([*CODES, "cut"]) if chance.random() < 0.3 else None for _ in range(60))
        colony.server.fail(method, *(code and _fault(code, after=chance.random() < 0.5) for code in drawn))
    colony.server.failing.extend(chance.choice(["", "", "out of machines"]) for _ in range(20))

    assert story(colony, turns=400) == END


def test_a_call_that_hangs(parts: Parts) -> None:
    """A call that is never answered ends by its own time-out, and what it did is found."""
    server = RegistryServer()
    both = clients("europe-west1", server.address)
    colony = Colony(Parts(server, both, parts.ledger), patience=replace(ONCE, attempt_s=0.5))
    server.fail("UploadModel", Fault(hangs_s=60, after_effect=True))
    server.fail("DeployModel", Fault(hangs_s=60))
    colony.add("1")
    colony.promote("1")
    while not server.count("DeployModel"):
        colony.turn()
    # Those that hung go on now, to no avail of anybody who asked.
    server.closed.set()
    colony.settle()

    assert end(colony) == ALONE
    for client in both:
        client.transport.close()
    server.close()


@pytest.mark.parametrize("position", range(5))
def test_an_operation_that_fails(make: Make, position: int) -> None:
    """An upload, a new endpoint, a deployment or an end that fails is tried again after a while, not at once."""
    colony = make()
    colony.server.failing.extend(["", "", "", "", ""][:position])
    colony.server.failing.append("The machine type is not available in the zone.")

    assert story(colony) == END


def test_a_failure_is_told_and_waits(make: Make) -> None:
    """Why a deployment failed stands in the ledger; it is tried again after longer and longer pauses."""
    colony = make()
    colony.server.failing.extend(["", "", "Model server never became ready.", "Model server never became ready."])
    colony.add("1")
    colony.promote("1")
    for _ in range(8):
        colony.turn(pause_s=5.0)
    with colony.ledger.begin(write=False) as transaction:
        (effort,) = transaction.projections.efforts()[BEE.bee]
    tried = colony.server.count("DeployModel")
    colony.settle()

    assert (effort.kind, effort.faults, effort.since) == ("deploy", 1, None)
    assert "never became ready" in str(effort.error)
    assert tried == 1
    assert colony.traffic() == {"1": 100}


@pytest.mark.parametrize("when", [1, 2, 4, 6, 9])
def test_operations_that_are_lost(make: Make, when: int) -> None:
    """Operations that nobody knows any more, and that did nothing, are begun again."""
    colony = make()
    colony.add("1")
    colony.promote("1")
    for _ in range(when):
        colony.turn()
    colony.server.lose_operations()
    colony.settle(turns=60)

    assert colony.traffic() == {"1": 100}
    assert (colony.aliases(), end(colony)["efforts"]) == ({"1": ["champion", "default"]}, {})


def test_killed_at_any_moment(make: Make) -> None:
    """A worker that dies before or after any call or transaction leaves a state that leads to the same end."""
    moments, dead = 2, 0
    while dead < moments:
        # The moment after one deed is that before the next.
        dead += 2
        colony = make(stages=6)
        colony.add("1")
        colony.promote("1")
        fate = Fate(dead)
        worker = mortal(colony.worker, fate)
        try:
            while colony.traffic() != {"1": 100} or colony.in_hand():
                colony.turn(worker)
        except Killed:
            moments = dead + 2
        colony.settle(mortal(colony.worker, Fate()))

        assert end(colony) == ALONE, f"killed at moment {dead}"
    assert dead > 40


def test_a_call_while_the_process_ends(parts: Parts) -> None:
    """A worker whose connections are closed already hears that it is to be tried later, and tells nothing wrong."""
    both = clients("europe-west1", parts.server.address)
    colony = Colony(replace(parts, clients=both))
    colony.add("1")
    registry: Any = colony.worker.registry
    registry.close()

    with pytest.raises(TryLater, match="is ending"):
        colony.worker.turn()


def _fault(code: str, *, after: bool = False) -> Fault:
    if code == "cut":
        return Fault(after_effect=after, cut=True)
    return Fault(grpc.StatusCode[code], after_effect=after)

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import grpc
import pytest

from tests.google_server import Fault
from tests.worker import world
from tests.worker.adapters.models.mortal import Fate, Killed, mortal
from tests.worker.adapters.models.registry_server import RegistryServer
from tests.worker.adapters.models.registry_world import ALONE, END, HOLD, IMAGE, ONCE, Colony, Parts, end, story
from tests.worker.world import BEE
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger
from worker.adapters.models.vertex_client import clients
from worker.clock import wall_clock
from worker.errors import Conflict, Rejected, TryLater
from worker.models.projection import Entry

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


@pytest.fixture(name="parts", scope="module")
def _parts() -> Iterator[Parts]:
    server, ledger = RegistryServer(), world.memory_ledger()
    both = clients("europe-west1", server.address)
    yield Parts(server, both, ledger)
    for client in both:
        client.transport.close()
    ledger.close()
    server.close()


@pytest.fixture(name="make")
def _make(parts: Parts) -> Make:
    def make(*, stages: int = 2, **changes: Any) -> Colony:
        parts.server.reset(stages=stages)
        return Colony(parts, **changes)

    return make


def test_a_version_is_uploaded(make: Make) -> None:
    """A registered version lies under its bee's model with its file, its hash and whence it came; not as champion."""
    colony = make()
    colony.add("1", run_id="auto-retrain-spam-guard-0abc")
    colony.settle()

    (model,) = colony.server.models[colony.naming.id_of(BEE.bee)]
    assert model.artifact_uri == f"gs://bucket/models/{'a' * 64}"
    assert {(one.name, one.value) for one in model.container_spec.env} == {("COLONY_MODEL_SHA256", "a" * 64)}
    assert model.container_spec.image_uri == IMAGE
    assert (model.container_spec.predict_route, model.container_spec.health_route) == ("/predict", "/health")
    assert dict(model.labels)["run"] == "auto-retrain-spam-guard-0abc"
    assert dict(model.labels)["sha256"] == "a" * 63
    assert "version 1" in model.version_description
    assert "a" * 64 in model.version_description
    assert colony.aliases() == {"1": ["challenger", "default"]}
    assert colony.server.endpoints == {}


def test_every_version_in_order(make: Make) -> None:
    """All versions come under one parent in the order of the ledger, refused ones too, and none is there twice."""
    colony = make(serving=False)
    for number in "12345":
        colony.add(number, state="refused" if number == "3" else "registered", gate_passed=number != "3")
    colony.settle()

    (versions,) = colony.server.models.values()
    assert [one.labels["colony-version"] for one in versions] == [colony.key(number) for number in "12345"]
    assert colony.aliases()["5"] == ["challenger"]
    assert colony.server.count("UploadModel") == 5


def test_settings_for_a_language_model_are_no_file_to_serve(make: Make) -> None:
    """A bee that generates text has nothing on Vertex's registry."""
    colony = make()
    colony.add("1", lineage={"algorithm": "generation", "hyperparameters": {"model": "m"}})
    colony.promote("1")
    colony.settle()

    assert colony.server.calls == []


def test_the_whole_life(make: Make) -> None:
    """Champion, second champion, back again: aliases and traffic follow, and what is out of use is undeployed."""
    assert story(make()) == END


def test_a_promotion_moves_traffic_once_the_model_is_there(make: Make) -> None:
    """A new champion is deployed without traffic, then gets all of it; the one before stays at 0 % for its hold."""
    colony = make()
    colony.add("1")
    colony.promote("1")
    colony.settle()
    colony.add("2")
    colony.promote("2")
    colony.settle()
    names = [name for name, _ in colony.server.calls]
    splits = [dict(request.traffic_split) for name, request in colony.server.calls if name == "DeployModel"]

    assert [sorted(split.values()) for split in splits] == [[100], [0, 100]]
    assert names.count("UpdateEndpoint") == 1
    assert colony.traffic() == {"1": 0, "2": 100}
    colony.now += HOLD * 0.9
    colony.settle()
    assert colony.traffic() == {"1": 0, "2": 100}
    colony.now += HOLD * 0.2
    colony.settle()
    assert colony.traffic() == {"2": 100}


def test_a_rollback_is_a_change_of_traffic(make: Make) -> None:
    """Going back within the hold deploys nothing: one call changes the traffic."""
    colony = make()
    story_so_far(colony)
    deployed = colony.server.count("DeployModel")
    colony.rollback()
    colony.turn()

    assert colony.traffic() == {"1": 100, "2": 0}
    assert colony.server.count("DeployModel") == deployed


def test_a_rollback_after_the_hold_deploys_again(make: Make) -> None:
    """What was undeployed comes back: deployed first, then given the traffic."""
    colony = make()
    story_so_far(colony)
    colony.now += HOLD
    colony.settle()
    assert colony.traffic() == {"2": 100}
    colony.rollback()
    colony.settle()

    assert colony.traffic() == {"1": 100, "2": 0}


def test_a_rollback_while_the_new_model_is_being_deployed(make: Make) -> None:
    """Production never leaves the old model, and the new one goes when its hold is over."""
    colony = make()
    colony.add("1")
    colony.promote("1")
    colony.settle()
    colony.server.stages = 12
    colony.add("2")
    colony.promote("2")
    while colony.server.count("DeployModel") < 2:
        colony.turn()
    colony.rollback()
    colony.settle(turns=80)
    colony.now += HOLD
    colony.settle(turns=80)

    assert end(colony) == END


def test_without_serving_there_is_only_the_registry(make: Make) -> None:
    """Unless endpoints are switched on, none is made and none is asked for."""
    colony = make(serving=False)
    colony.add("1")
    colony.promote("1")
    colony.settle()

    assert colony.aliases() == {"1": ["champion", "default"]}
    assert {name for name, _ in colony.server.calls if "ndpoint" in name} == set()


def story_so_far(colony: Colony) -> None:
    """Live until the second champion has the traffic."""
    for number in "12":
        colony.add(number)
        colony.promote(number)
        colony.settle()
    assert colony.traffic() == {"1": 0, "2": 100}


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


def test_what_is_deleted_behind_our_back_comes_again(make: Make) -> None:
    """An endpoint that somebody deletes is made again, then the model; meanwhile nothing else is disturbed."""
    colony = make()
    story_so_far(colony)
    colony.server.endpoints.clear()
    colony.settle()
    colony.now += HOLD
    colony.settle()
    assert colony.traffic() == {"2": 100}
    colony.server.endpoints.clear()
    colony.server.models.clear()
    colony.now += HOLD
    colony.settle()

    assert colony.traffic() == {"2": 100}
    assert colony.aliases() == {"1": [], "2": ["champion", "default"]}


def test_what_is_changed_behind_our_back_is_mended(make: Make) -> None:
    """Traffic and aliases that somebody moves by hand come back to what the ledger says."""
    colony = make()
    story_so_far(colony)
    (endpoint,), (versions,) = colony.server.endpoints.values(), colony.server.models.values()
    first = endpoint.deployed_models[0].id
    endpoint.traffic_split = {first: 100}
    versions[0].version_aliases, versions[1].version_aliases = ["champion", "default", "their-own"], []
    colony.now += HOLD * 0.5
    colony.settle()

    assert colony.traffic() == {"1": 0, "2": 100}
    assert colony.aliases() == {"1": ["their-own"], "2": ["champion", "default"]}


def test_a_model_of_somebody_else_on_the_endpoint_stays(make: Make) -> None:
    """What was deployed by hand loses its traffic to the champion, and is not undeployed."""
    colony = make()
    colony.add("1")
    colony.promote("1")
    colony.settle()
    (endpoint,) = colony.server.endpoints.values()
    endpoint.deployed_models = [*endpoint.deployed_models, {"id": "7", "display_name": "by hand"}]
    endpoint.traffic_split = {"7": 60, endpoint.deployed_models[0].id: 40}
    colony.now += HOLD
    colony.settle()

    assert {one.id: dict(endpoint.traffic_split).get(one.id) for one in endpoint.deployed_models}["7"] is None
    assert len(endpoint.deployed_models) == 2


def test_an_endpoint_of_another_installation_is_left_alone(make: Make) -> None:
    """An endpoint with our name that we did not make is not touched, and said so."""
    colony = make()
    colony.add("1")
    colony.promote("1")
    colony.server.endpoints[colony.naming.id_of(BEE.bee)] = {"labels": {"installation": "other"}}  # type: ignore[assignment]
    from google.cloud.aiplatform_v1 import types

    colony.server.endpoints[colony.naming.id_of(BEE.bee)] = types.Endpoint(labels={"installation": "other"})
    with pytest.raises(Conflict, match="was not made by this installation"):
        colony.worker.registry.endpoint(BEE.bee, ["1"])
    colony.settle()

    assert colony.traffic() == {}


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


def test_two_workers(make: Make) -> None:
    """Two workers that turn by turns do everything once."""
    colony = make()
    other = colony.new_worker("b")
    for number in "12":
        colony.add(number)
        colony.promote(number)
        for _ in range(12):
            colony.turn()
            colony.turn(other)

    assert colony.traffic() == {"1": 0, "2": 100}
    assert [colony.server.count(method) for method in EFFECTS] == [2, 1, 2, 0]


def test_two_workers_at_once(parts: Parts, make: Make, postgres_url: str) -> None:
    """Two workers on one PostgreSQL, each with its own connections and clock, do everything once between them."""
    make()
    ledgers = [SqlLedger(Database(postgres_url)) for _ in range(2)]
    colonies = [Colony(replace(parts, ledger=ledger)) for ledger in ledgers]
    for colony in colonies:
        colony.worker.clock, colony.worker.poll_s, colony.worker.reconcile_s = wall_clock, 0.01, 0.01
    colonies[0].add("1")
    colonies[0].promote("1")
    together, end_at = threading.Barrier(2), time.monotonic() + 120

    def work(colony: Colony) -> None:
        together.wait()
        while time.monotonic() < end_at and (colony.traffic() != {"1": 100} or colony.in_hand()):
            colony.worker.turn()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work, colony) for colony in colonies]:
            done.result()
    shown = end(colonies[0])
    for ledger in ledgers:
        ledger.close()

    assert shown == ALONE
    assert [parts.server.count(method) for method in EFFECTS] == [1, 1, 1, 0]


def test_while_one_holds_the_lease_the_other_does_nothing(make: Make) -> None:
    """A bee that another worker has in hand is left to it."""
    colony = make()
    colony.add("1")
    with colony.ledger.begin() as transaction:
        epoch = transaction.projections.claim(BEE.bee, "b", lease_s=60)
        assert epoch
    colony.turn()
    assert colony.server.calls == []
    with colony.ledger.begin() as transaction:
        transaction.projections.release(BEE.bee, epoch)
    colony.turn()

    assert colony.server.count("UploadModel") == 1


def test_one_bee_does_not_hold_up_the_others(make: Make) -> None:
    """What is unforeseen about one bee is told, and the others are shown all the same."""
    colony = make(serving=False)
    for bee in ("a-bee", BEE.bee):
        colony.add("1", bee=bee)
    registry = colony.worker.registry

    class Stumbling:
        def __getattr__(self, name: str) -> Any:
            return getattr(registry, name)

        def entries(self, bee: str, versions: Sequence[str]) -> Sequence[Entry]:
            if bee == "a-bee":
                raise RuntimeError("a number that is none")
            return registry.entries(bee, versions)

    colony.worker.registry = Stumbling()
    colony.settle()

    assert colony.aliases() == {"1": ["challenger", "default"]}


def test_a_call_while_the_process_ends(parts: Parts) -> None:
    """A worker whose connections are closed already hears that it is to be tried later, and tells nothing wrong."""
    both = clients("europe-west1", parts.server.address)
    colony = Colony(replace(parts, clients=both))
    colony.add("1")
    registry: Any = colony.worker.registry
    registry.close()

    with pytest.raises(TryLater, match="is ending"):
        colony.worker.turn()


def test_errors_in_our_words(make: Make) -> None:
    """What a person has to mend names the role or the setting; a service that is away is to be tried later."""
    colony = make(patience=ONCE)
    registry: Any = colony.worker.registry
    colony.server.fail("ListModels", Fault(grpc.StatusCode.PERMISSION_DENIED), Fault(grpc.StatusCode.UNAVAILABLE))

    with pytest.raises(Rejected, match=r"roles/aiplatform.user"):
        registry.verify()
    with pytest.raises(TryLater):
        registry.verify()
    registry.verify()
    registry._folder = lambda _: "/nowhere"
    with pytest.raises(Rejected, match="artifact_uri"):
        registry.upload(world.version("1"))


def _fault(code: str, *, after: bool = False) -> Fault:
    if code == "cut":
        return Fault(after_effect=after, cut=True)
    return Fault(grpc.StatusCode[code], after_effect=after)

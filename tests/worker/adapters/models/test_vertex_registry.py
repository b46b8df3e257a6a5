from collections.abc import Callable
from typing import Any

import grpc
import pytest

from tests.google_server import Fault
from tests.worker import world
from tests.worker.adapters.models.registry_world import END, HOLD, IMAGE, ONCE, Colony, end, story, two_champions
from tests.worker.world import BEE
from worker.errors import Conflict, Rejected, TryLater

Make = Callable[..., Colony]


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
    two_champions(colony)
    deployed = colony.server.count("DeployModel")
    colony.rollback()
    colony.turn()

    assert colony.traffic() == {"1": 100, "2": 0}
    assert colony.server.count("DeployModel") == deployed


def test_a_rollback_after_the_hold_deploys_again(make: Make) -> None:
    """What was undeployed comes back: deployed first, then given the traffic."""
    colony = make()
    two_champions(colony)
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


def test_what_is_deleted_behind_our_back_comes_again(make: Make) -> None:
    """An endpoint that somebody deletes is made again, then the model; meanwhile nothing else is disturbed."""
    colony = make()
    two_champions(colony)
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
    two_champions(colony)
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

"""The events' schemas by HTTP."""

import jsonschema

from tests.handlers.http.api import Parts
from tests.worker import world
from worker.publish.events import attributes


def test_an_events_dataschema_leads_to_its_schema(colony: Parts) -> None:
    """What `dataschema` of an emitted event names is served as a JSON Schema that the event's data fits."""
    world.ask_for_run(colony.ledger)
    with colony.ledger.begin(write=False) as transaction:
        ((event, _),) = transaction.outbox.list()
    client = colony.client()

    answer = client.get(attributes(event)["ce-dataschema"])

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/schema+json")
    jsonschema.validate(event.data, answer.json())
    newest = client.get(f"/api/mlops/events/schemas/{event.type}")
    assert newest.json() == answer.json()


def test_the_catalogue(colony: Parts) -> None:
    """It lists what comes in and what goes out, each with the address of its schema."""
    client = colony.client()

    listed = client.get("/api/mlops/events/schemas").json()["schemas"]

    assert [one["type"] for one in listed if one["direction"] == "in"] == ["feature.found", "model.evaluated"]
    assert len(listed) > 20
    for one in listed:
        assert client.get(one["dataschema"]).json()["title"] == one["type"]


def test_what_there_is_not(colony: Parts) -> None:
    """Unknown types and versions are not found, and the answer says what there is."""
    client = colony.client()

    assert client.get("/api/mlops/events/schemas/model.exploded").status_code == 404
    missing = client.get("/api/mlops/events/schemas/model.deployed/v9")
    assert (missing.status_code, missing.json()["detail"]) == (
        404,
        "model.deployed has no version 9; it is in version 1",
    )

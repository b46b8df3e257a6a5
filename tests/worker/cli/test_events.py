"""`colony events`: what was told, and its schemas."""

import json

import jsonschema
import pytest

from tests.worker import world
from tests.worker.cli.conftest import Here
from worker.adapters.ledger.sql import SqlLedger


def test_events_name_their_schemas(here: Here, ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event's `dataschema` is below the public URL; the command prints that schema, which the data fits."""
    world.ask_for_run(ledger)
    monkeypatch.setenv("COLONY_PUBLIC_URL", "https://colony.example.org/")

    event = json.loads(here("events", "--json")[1])

    assert event["dataschema"] == "https://colony.example.org/api/mlops/events/schemas/pipeline.run.requested/v1"
    schema = json.loads(here("events", "schema", event["type"])[1])
    assert event["dataschema"].endswith(schema["$id"])
    jsonschema.validate(event["data"], schema)


def test_the_table_says_what_each_is_about(here: Here, ledger: SqlLedger) -> None:
    """A run's event gives its reason, a definition its feature and version."""
    world.ask_for_run(ledger)
    assert here("features", "define", "--name", "rate", "--entity", "user", "--type", "number")[0] == 0

    told = here("events")[1]

    assert "a test" in told
    assert "rate, version 1" in told


def test_all_schemas(here: Here) -> None:
    """Without a type all are listed; with --json each schema is a line; an unknown one is not found."""
    table = here("events", "schema")[1]
    lines = here("events", "schema", "--json")[1].splitlines()

    assert "model.evaluated" in table
    assert {json.loads(line)["title"] for line in lines} == {row.split()[0] for row in table.splitlines()[1:]}
    code, _, errors = here("events", "schema", "model.exploded")
    assert (code, "there is no event 'model.exploded'" in errors) == (4, True)

"""The published schemas: whole, true for what comes in, and used by all that goes out."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.event_schemas import fault
from tests.worker import world
from worker.decide.evaluation import parse_evaluation
from worker.errors import NotFound, Rejected
from worker.publish.catalogue import PATH, catalogue, described
from worker.publish.schemas import INCOMING, OUTGOING

ROOT = Path(__file__).parents[3]
_FAMILIES = "ab_test|approval|breaker|budget|colony|evaluation|feature|incident|model|pipeline"
TYPE = re.compile(rf'"((?:{_FAMILIES})(?:\.[a-z_]+)+)"')

#: Not everything with a dot is an event.
FILES = {"colony.json", "colony.steps", "model.skops"}


def test_every_type_in_the_code_has_a_schema() -> None:
    """The types that the code names are those of the catalogue: none without a schema, no schema without a sender."""
    files = [path for top in ("worker", "handlers") for path in (ROOT / top).rglob("*.py")]
    named = {type_ for path in files if path.parent.name != "schemas" for type_ in TYPE.findall(path.read_text())}

    assert named - FILES == set(OUTGOING) | set(INCOMING)


@pytest.mark.parametrize("type_", catalogue())
def test_each_schema_is_one(type_: str) -> None:
    """Each is a JSON Schema with its address, a sentence, and the fields that are always there."""
    found = described(type_)

    jsonschema.Draft202012Validator.check_schema(found.schema)
    assert found.schema["$id"] == found.uri == f"{PATH}/{type_}/v{found.version}"
    assert found.schema["title"] == type_
    assert found.schema["description"].endswith(".")
    assert found.schema["type"] == "object"
    assert set(found.schema["required"]) <= set(found.schema["properties"])
    assert "additionalProperties" not in found.schema


def test_what_is_not_there() -> None:
    """An unknown type, or another version of a known one, is not found."""
    with pytest.raises(NotFound, match=r"there are: feature\.found, model\.evaluated"):
        described("model.exploded")
    with pytest.raises(NotFound, match="no version 2"):
        described("model.deployed", 2)


GOOD: list[dict[str, Any]] = [
    world.data(),
    world.data(modelVersion=3),
    world.data(metrics=None, drift={"detected": True, "severity": "high", "score": 0.3, "features": None}),
    world.data(metrics={"f1": None}, baseline=None, window=None, evaluatedAt=None),
    world.data(metrics={}, more={"unknown": ["is", "kept"]}),
]
BAD: list[dict[str, Any]] = [
    world.data(metrics=None),
    world.data(beeId="Spam Guard"),
    world.data(modelVersion=""),
    world.data(modelVersion=True),
    world.data(metrics={"f1": "0.9"}),
    world.data(metrics={f"m{number}": 1 for number in range(201)}),
    world.data(window={"sampleCount": -1}),
    world.data(window={"id": "x" * 257}),
    world.data(drift={"detected": "yes"}),
    world.data(drift={"features": ["a", 1]}),
    world.data(drift=[]),
    {"modelVersion": "1", "metrics": {}},
]


@pytest.mark.parametrize(("data", "good"), [*((data, True) for data in GOOD), *((data, False) for data in BAD)])
def test_what_comes_in_is_described_as_it_is_taken(data: dict[str, Any], good: bool) -> None:  # noqa: FBT001
    """The schema of model.evaluated takes and refuses what the intake takes and refuses."""
    validator = jsonschema.Draft202012Validator(dict(described("model.evaluated").schema))
    try:
        parse_evaluation(data, event_time=datetime(2002, 10, 1, tzinfo=UTC))
        taken = True
    except Rejected:
        taken = False

    assert (validator.is_valid(data), taken) == (good, good)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "required"),
        ({"until": "tomorrow"}, "date-time"),
        ({"until": None, "more": 1}, "'more' was unexpected"),
        ({"scope": "hive"}, "'hive' is not one of"),
    ],
)
def test_the_suite_sees_what_does_not_fit(data: dict[str, Any], words: str) -> None:
    """The check that every test makes finds a field that is missing, wrong, or in no schema."""
    whole = {"beeId": "b", "scope": "bee", "failures": 3, "until": None, "reason": "r"}

    assert fault("breaker.opened", whole) is None
    assert words in str(fault("breaker.opened", {**whole, **data} if data else {}))
    assert fault("hive.burnt", {}) == "hive.burnt has no published schema"
    assert fault("model.evaluated", world.data()) == "model.evaluated has no published schema"

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import negative_data_rejection, positive_data_acceptance

from handlers.commands.manage_tokens import create_token
from handlers.http import ROUTES, build, examples
from handlers.http.access import Access
from handlers.http.scopes import check_scopes, needs
from tests.handlers.http.api import Parts, parts
from tests.worker import world
from worker.access.token import Scope
from worker.engine.state import Status
from worker.runs.lifecycle import Verdict, concluded
from worker.runs.port import StepState

#: Twice as many found one more kind of answer of one operation, among 169.
EXAMPLES = 12
#: What their schemas cannot say: which features a bee reads, which versions there are, which cursors were given out,
#: what a feature's values are, how long a duration is, and that one time lies before another.
MEANINGS = {
    "POST /api/mlops/pipeline/trigger",
    "GET /api/mlops/pipeline/runs",
    "POST /api/mlops/models/{beeId}/predict",
    "POST /api/mlops/models/{beeId}/promote",
    "POST /api/mlops/models/{beeId}/rollback",
    "GET /api/mlops/decisions",
    "GET /api/mlops/incidents",
    "GET /api/mlops/approvals",
    "GET /api/mlops/costs",
    "GET /api/mlops/costs/gain",
    "POST /api/mlops/pause",
    "POST /api/mlops/resume",
    "GET /api/mlops/features",
    "POST /api/mlops/features/define",
    "POST /api/mlops/features/store",
    "POST /api/mlops/features/batch",
    "POST /api/mlops/features/training",
    "POST /api/mlops/features/{featureName}/deprecate",
    "DELETE /api/mlops/features/{featureName}",
    "GET /api/mlops/features/{entityId}/{featureName}",
}


@dataclass(frozen=True)
class Described:
    """A guarded API, its description, and what is there to be found."""

    schema: Any
    headers: dict[str, str]
    known: dict[str, str]


@pytest.fixture(name="described", scope="module")
def _described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    with parts(tmp_path_factory.mktemp("openapi")) as colony:
        run = world.ask_for_run(colony.ledger)
        _settle(colony, run.id)
        random = os.urandom(38)
        _, token = create_token("a test", list(Scope), colony.ledger, world.NOW, random=random)
        api = build(colony.services(Access(guarded=True, failures=10**6)))
        schema = schemathesis.openapi.from_asgi("/api/mlops/openapi.json", api)
        yield Described(schema, {"Authorization": f"Bearer {token}"}, {"runId": run.id, "beeId": "spam-guard"})


def _settle(colony: Parts, run_id: str) -> None:
    done = replace(world.get_run(colony.ledger, run_id), status=Status.SUCCEEDED, ended_at=world.NOW)
    outcome = world.outcome(run_id, artifacts=[{"name": "model", "type": "system.Model", "uri": "u", "metadata": {}}])
    with colony.ledger.begin() as transaction:
        transaction.runs.save(concluded(done, Verdict.REJECTED, outcome))
        transaction.runs.save_steps(run_id, [StepState("train", Status.SUCCEEDED, 2, world.NOW, world.NOW)])


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("known", [False, True])
def test_the_description_is_true(described: Described, mode: GenerationMode, known: bool) -> None:  # noqa: FBT001
    """Every operation answers as described, to requests that fit its description and to those that do not.

    Half of them ask for what is there, so that good answers are checked against their schemas, too.
    """
    for found in described.schema.get_all_operations():
        operation = found.ok()
        parameters = [*operation.path_parameters, *operation.query, *operation.headers, *operation.body]
        if (mode is GenerationMode.NEGATIVE and (known or not parameters)) or (known and "{" not in operation.path):
            continue
        _check(operation, mode, described, described.known if known else {})


def _check(operation: Any, mode: GenerationMode, described: Described, known: dict[str, str]) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        case.path_parameters |= {name: value for name, value in known.items() if name in case.path_parameters}
        answer = case.call(headers=described.headers)
        excluded = [positive_data_acceptance] if operation.label in MEANINGS else []
        if operation.method == "get":
            # A query that is wrong as JSON may be a right one once it is written as text: `[]` is no parameter at all.
            excluded.append(negative_data_rejection)
        case.validate_response(answer, headers=described.headers, excluded_checks=excluded)

    check()


def test_every_operation_is_described_whole(described: Described) -> None:
    """Each operation has an id of its own, a summary or description, its scope, and problems for its errors."""
    document = described.schema.raw_schema
    operations = [(path, op) for path, methods in document["paths"].items() for op in methods.values()]

    assert len({op["operationId"] for _, op in operations}) == len(operations)
    for path, operation in operations:
        assert operation["description"]
        if path.startswith("/api/mlops"):
            ((scopes,),) = (tuple(item.values()) for item in operation["security"])
            assert set(scopes) <= set(Scope)
            problems = {operation["responses"][status]["content"].popitem()[0] for status in ("401", "403", "422")}
            assert problems == {"application/problem+json"}


def test_a_route_without_a_scope_is_refused(colony: Parts) -> None:
    """Whoever adds a route must say what it needs; all there are do."""
    for routes in ROUTES.values():
        check_scopes(routes(colony.services()))
    router = ROUTES["models"](colony.services())
    router.get("/open")(lambda: None)

    with pytest.raises(ValueError, match="/open asks for no scope"):
        check_scopes(router)

    assert "dependencies" in needs(Scope.READ)


def test_every_operation_has_examples(described: Described) -> None:
    """Each call shows what to send and what comes back, and what it shows fits its own description."""
    document = described.schema.raw_schema
    names = {operation["operationId"] for operations in document["paths"].values() for operation in operations.values()}
    assert set(examples.EXAMPLES) <= names
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for media in operation.get("requestBody", {}).get("content", {}).values():
                _check_examples(document, media, path)
            for status, answer in operation["responses"].items():
                for media in answer.get("content", {}).values() if status.startswith("2") else ():
                    _check_examples(document, media, path)
            for parameter in operation.get("parameters", []):
                if parameter["required"]:
                    _check_examples(document, parameter | {"schema": parameter["schema"]}, path)


def _check_examples(document: Any, described: Any, path: str) -> None:
    schema = described["schema"]
    if schema.get("format") == "binary":
        return
    shown = [item["value"] for item in described.get("examples", {}).values()] if "examples" in described else []
    shown += [described["example"]] if "example" in described else schema.get("examples", [])

    assert shown, f"{path} has no example"
    for example in shown:
        if schema.get("type") != "object" or not isinstance(example, str):
            jsonschema.validate(example, {**schema, "components": document["components"]})

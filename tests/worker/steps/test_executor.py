import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from worker.adapters.models.local import LocalArtifacts
from worker.adapters.models.skops_format import SkopsFormat
from worker.bee import Value
from worker.errors import Rejected
from worker.steps.execute import conclude, execute
from worker.steps.executor import context_of, parse_input, write_output
from worker.steps.files import read_json, write_json
from worker.steps.step import Ports, StepContext, StepType


class Config(Value):
    """What the item says."""

    text: Any = None


def body(context: StepContext) -> dict[str, Any]:
    """Write how many there are, and give it."""
    write_json(context.outputs["count"], {"count": len(context.lists["notes"])})
    return {"many": len(context.lists["notes"]) > 1, "words": [str(context.config.text)]}


STEP = StepType(
    "count",
    Config,
    {"rows": "system.Dataset", "notes": "list[system.Artifact]"},
    {"count": "system.Artifact"},
    body,
    values={"many": "boolean", "words": "list[string]"},
)


@pytest.fixture(name="ports")
def _ports(tmp_path: Path) -> Ports:
    features: Any = None
    return Ports(features=features, artifacts=LocalArtifacts(tmp_path / "models"), models=SkopsFormat())


def _told(directory: Path, notes: int | None, **parameters: Any) -> str:
    """Return an executor input; `notes` artifacts in the list, None for an engine that leaves an empty one out."""
    (directory / "rows").write_text("rows", encoding="utf-8")
    many = [{"uri": str(directory / f"note-{number}")} for number in range(notes or 0)]
    for one in many:
        write_json(Path(one["uri"]), {"text": "note"})
    artifacts: dict[str, Any] = {"rows": {"artifacts": [{"uri": str(directory / "rows")}]}}
    if notes is not None:
        artifacts["notes"] = {"artifacts": many}
    run = {"id": "r", "parameters": {}, "outputDir": str(directory / "run")}
    return json.dumps(
        {
            "inputs": {"parameterValues": {"run": run, "config": {}, **parameters}, "artifacts": artifacts},
            "outputs": {
                "artifacts": {"count": {"artifacts": [{"uri": str(directory / "count")}]}},
                "outputFile": str(directory / "output.json"),
            },
        }
    )


def _run(directory: Path, ports: Ports, notes: int | None = 0, step: StepType = STEP, **parameters: Any) -> Any:
    given = parse_input(_told(directory, notes, **parameters))
    context = context_of(step, given, ports)
    write_output(step, given, context, execute(step, context, name="each", task="each/0/each"))
    return read_json(directory / "output.json")["parameterValues"]


@pytest.mark.parametrize(("notes", "count"), [(3, 3), (0, 0), (None, 0)])
def test_a_list_of_artifacts(tmp_path: Path, ports: Ports, notes: int | None, count: int) -> None:
    """An input of a list's kind has all artifacts in order; an empty list may be left out by the engine."""
    values = _run(tmp_path, ports, notes)

    assert read_json(tmp_path / "count") == {"count": count}
    assert values["many"] is (count > 1)


@pytest.mark.parametrize(
    ("item", "text", "found"),
    [
        ("a", "${item}", "a"),
        (3, "${item}", 3),
        ({"name": "a", "more": {"depth": 2}}, "${item.more.depth}", 2),
        ({"name": "a"}, "the ${item.name} of ${item}", 'the a of {"name": "a"}'),
    ],
)
def test_the_item_in_the_config(tmp_path: Path, ports: Ports, item: Any, text: str, found: Any) -> None:
    """The item that the engine gives is filled into the config, whole or by its fields."""
    given = parse_input(_told(tmp_path, 0, item=item, config={"text": text}))

    assert context_of(STEP, given, ports).config.text == found


def test_a_field_that_the_item_lacks(tmp_path: Path, ports: Ports) -> None:
    """A field that this item does not have is told with those that it has."""
    given = parse_input(_told(tmp_path, 0, item={"name": "a"}, config={"text": "${item.size}"}))

    with pytest.raises(Rejected, match=r"item\.size: is not there. The item has name"):
        context_of(STEP, given, ports)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"many": True}, "gives the values many, but declares many, words"),
        ({"many": "yes", "words": []}, r"count\.many: 'yes' is not a boolean"),
        ({"many": True, "words": ["a", 1]}, r"count\.words\[1\]: 1 is not a string"),
        (None, "gives the values none, but declares many, words"),
    ],
)
def test_other_values_than_declared(tmp_path: Path, ports: Ports, values: Any, words: str) -> None:
    """A body that gives other values than its type declares fails its step, with the place."""
    with pytest.raises(Rejected, match=words):
        _run(tmp_path, ports, step=replace(STEP, body=lambda _: values))


@pytest.mark.parametrize("stopped", ["rows", "note-1"])
def test_a_stopped_run(tmp_path: Path, ports: Ports, stopped: str) -> None:
    """A run that was stopped before, also in one of many, is passed on with the empty value of each type."""
    told = _told(tmp_path, 2)
    write_json(tmp_path / stopped, {"stopped": "too few rows"})
    context = context_of(STEP, parse_input(told), ports)

    assert execute(STEP, context) == {"many": False, "words": []}
    assert read_json(tmp_path / "count") == {"stopped": "too few rows"}


def test_each_run_of_a_step_has_its_cost(tmp_path: Path, ports: Ports) -> None:
    """Runs of one step write their costs beside each other; a second attempt at one replaces its own."""
    context = context_of(STEP, parse_input(_told(tmp_path, 0)), ports)
    for task in ("each/0/each", "each/1/each", "each/1/each"):
        execute(STEP, context, name="each", task=task)

    assert len(list((tmp_path / "run" / "cost").glob("each.*.json"))) == 2


def test_a_failure_as_the_result(tmp_path: Path, ports: Ports) -> None:
    """What a type writes for a failure takes the place of what its body would have written, values and all."""

    def failed(context: StepContext, reason: str) -> dict[str, Any]:
        write_json(context.outputs["count"], {"failed": reason})
        return {"many": False, "words": [reason]}

    step = replace(STEP, failed=failed)
    context = context_of(step, parse_input(_told(tmp_path, 0)), ports)

    assert conclude(step, context, "died") == {"many": False, "words": ["died"]}
    assert read_json(tmp_path / "count") == {"failed": "died"}

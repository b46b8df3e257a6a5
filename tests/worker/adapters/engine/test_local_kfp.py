"""Pipelines that the KFP SDK compiled, not we: what it writes is what the engine must understand."""

from typing import Any

import pytest

from tests.emulators import absent
from tests.worker.adapters.engine.conftest import Bench
from worker.engine.state import Status
from worker.runs.port import EngineState, Submission

WRITE = "import sys, pathlib; p = pathlib.Path(sys.argv[1]); p.write_text(sys.argv[2]); print(sys.argv[2:])"


@pytest.fixture(name="kfp")
def _kfp() -> Any:
    try:
        import kfp
    except ImportError:
        absent("kfp is not installed (the extra `compile`)")
    return kfp


def parts(kfp: Any) -> dict[str, Any]:
    """Return components: `say` gives its text, `numbers` a list, `show` prints what it takes."""
    dsl = kfp.dsl

    @dsl.container_component
    def say(text: str, out: dsl.OutputPath(str)):  # type: ignore[no-untyped-def,valid-type] # noqa: ANN202
        return dsl.ContainerSpec(image="none", command=["python3", "-c", WRITE], args=[out, text])

    @dsl.container_component
    def numbers(text: str, out: dsl.OutputPath(list)):  # type: ignore[no-untyped-def,valid-type] # noqa: ANN202
        return dsl.ContainerSpec(image="none", command=["python3", "-c", WRITE], args=[out, text])

    @dsl.container_component
    def add(a: int, b: int, out: dsl.OutputPath(str)):  # type: ignore[no-untyped-def,valid-type] # noqa: ANN202
        return dsl.ContainerSpec(image="none", command=["python3", "-c", WRITE], args=[out, b, a])

    @dsl.container_component
    def show(items: list):  # type: ignore[no-untyped-def,type-arg] # noqa: ANN202
        return dsl.ContainerSpec(
            image="none", command=["python3", "-c", "import sys; print(sys.argv[1])"], args=[items]
        )

    return {"say": say, "numbers": numbers, "add": add, "show": show}


def compiled(kfp: Any, function: Any) -> dict[str, Any]:
    """Return the spec of a pipeline function."""
    from google.protobuf import json_format

    spec: dict[str, Any] = json_format.MessageToDict(kfp.dsl.pipeline(name="p")(function).pipeline_spec)
    return spec


def run(bench: Bench, spec: dict[str, Any], **parameters: Any) -> tuple[EngineState, dict[str, str]]:
    """Run a spec and return its state and what each step printed."""
    engine = bench.engine()
    engine.submit(Submission("run-1", spec, parameters, str(bench.root / "out"), {"run": "run-1"}))
    state = bench.ended()
    return state, {step.step_id: step.log_tail.strip() for step in state.steps}


def test_structs_and_collected(bench: Bench, kfp: Any) -> None:
    """A loop over written structs gives each step its fields, and their outputs come back as a list in order."""
    part = parts(kfp)

    def pipeline() -> None:
        with kfp.dsl.ParallelFor(items=[{"a": 1, "b": 10}, {"a": 2, "b": 20}], parallelism=2) as item:
            task = part["add"](a=item.a, b=item.b)
        part["show"](items=kfp.dsl.Collected(task.outputs["out"]))

    state, said = run(bench, compiled(kfp, pipeline))

    assert (state.status, said["show"]) == (Status.SUCCEEDED, '["10", "20"]')
    assert [text for path, text in said.items() if path.endswith("/add")] == ["['10', '1']", "['20', '2']"]


def test_dynamic_list_with_conditions(bench: Bench, kfp: Any) -> None:
    """A loop over what a step gave, with If, Elif and Else inside on an outer number and an inner text."""
    part = parts(kfp)

    def pipeline(n: int = 4) -> None:
        found = part["numbers"](text='["p", "q"]')
        with kfp.dsl.ParallelFor(items=found.outputs["out"]) as item:
            task = part["say"](text=item)
            with kfp.dsl.If(task.outputs["out"] == "q"):
                part["say"](text="is-q")
            with kfp.dsl.Elif(task.outputs["out"] == "r"):
                part["say"](text="is-r")
            with kfp.dsl.Else():
                part["say"](text="other")
            with kfp.dsl.If(n > 3):
                part["say"](text="large")

    state, said = run(bench, compiled(kfp, pipeline))

    assert state.status is Status.SUCCEEDED, state.error
    ran = sorted(text for text in said.values() if text.startswith("['"))
    assert ran == sorted(["['p']", "['q']", "['other']", "['is-q']", "['large']", "['large']", """['["p", "q"]']"""])


def test_text_with_values_in_it(bench: Bench, kfp: Any) -> None:
    """A text built from a parameter and another step's output arrives filled in."""
    part = parts(kfp)

    def pipeline(name: str = "world") -> None:
        first = part["say"](text="hello")
        part["say"](text=f"{first.outputs['out']}, {name}!")

    state, said = run(bench, compiled(kfp, pipeline), name="bee")

    assert (state.status, said["say-2"]) == (Status.SUCCEEDED, "['hello, bee!']")

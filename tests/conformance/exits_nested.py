"""Exit handlers in pipelines, in loops, within each other, and as whole pipelines."""
# ruff: noqa: D103 (the name in the table below says what a pipeline is)

from kfp import dsl

from tests.conformance.case import FAILED, Case, ran
from tests.conformance.parts import fails, final, mark, text


@dsl.pipeline(name="clean-up")
def clean_up(tmp: str) -> None:
    mark(path=tmp, value=text(value="cleaned").output)


@dsl.pipeline(name="guarded")
def guarded(tmp: str, why: str) -> None:
    with dsl.ExitHandler(exit_task=final(mark=tmp)):
        fails(why=why)


def of_a_pipeline(tmp: str) -> None:
    with dsl.ExitHandler(exit_task=clean_up(tmp=tmp)):
        fails()


def in_each_iteration(tmp: str) -> None:
    with dsl.ParallelFor(items=["a", "b"]) as item:
        guarded(tmp=f"{tmp}-{item}", why=item)


def within_another(outer: str, inner: str) -> None:
    with dsl.ExitHandler(exit_task=final(mark=outer), name="outside"):
        guarded(tmp=inner, why="deep")
        text(value="beside")


def tried_again(tmp: str) -> None:
    guarded(tmp=tmp, why="always").set_retry(1, backoff_duration="0s")


FILE = {"tmp": "{tmp}/end"}
CASES = [
    Case(
        "of a pipeline",
        of_a_pipeline,
        {"exit-handler-1/fails": FAILED, **ran("clean-up/text", "clean-up/mark")},
        parameters=FILE,
        state=FAILED,
        files={"end": "cleaned"},
    ),
    Case(
        "in each iteration",
        in_each_iteration,
        {
            **dict.fromkeys([f"for-loop-2/{n}/guarded/exit-handler-1/fails" for n in range(2)], FAILED),
            **ran(*(f"for-loop-2/{n}/guarded/final" for n in range(2))),
        },
        parameters=FILE,
        state=FAILED,
        files={"end-a": "exit code 1: a", "end-b": "exit code 1: b"},
    ),
    Case(
        "within another",
        within_another,
        {"outside/guarded/exit-handler-1/fails": FAILED, **ran("outside/guarded/final", "outside/text", "final")},
        parameters={"outer": "{tmp}/outer", "inner": "{tmp}/inner"},
        state=FAILED,
        files={"outer": '"pipelineTaskName": "outside"', "inner": '"pipelineTaskName": "exit-handler-1"'},
    ),
    Case(
        "tried again",
        tried_again,
        {"guarded~2/exit-handler-1/fails": FAILED, **ran("guarded~2/final")},
        parameters=FILE,
        state=FAILED,
        files={"end": "always"},
    ),
]

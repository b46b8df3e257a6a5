"""ExitHandler and ignore_upstream_failure: what runs however the rest has ended.

`PipelineTaskFinalStatus` is documented for Vertex AI under "Configure the pipeline's exit handler"; the strategy
`ALL_UPSTREAM_TASKS_COMPLETED` in pipeline_spec.proto: all upstream tasks are in any final state.
"""
# ruff: noqa: D103 (the name in the table below says what a pipeline is)

from kfp import dsl

from tests.conformance.case import CANCELLED, FAILED, Case, ran, skipped
from tests.conformance.parts import fails, final, flaky, mark, maybe, text, waits


def after_success(tmp: str) -> None:
    with dsl.ExitHandler(exit_task=final(mark=tmp), name="main-part"):
        text(value="x")


def after_failure(tmp: str) -> None:
    with dsl.ExitHandler(exit_task=final(mark=tmp)):
        fails(why="no luck")
        text(value="beside")


def that_is_cancelled(tmp: str, started: str) -> None:
    with dsl.ExitHandler(exit_task=final(mark=tmp)):
        text(value="never").after(waits(mark=started))


def that_fails_itself() -> None:
    with dsl.ExitHandler(exit_task=fails(why="clean-up broke")):
        text(value="x")


def without_status(tmp: str) -> None:
    with dsl.ExitHandler(exit_task=mark(path=tmp, value="bye")):
        fails()


def around_a_loop(tmp: str) -> None:
    with dsl.ExitHandler(exit_task=final(mark=tmp)), dsl.ParallelFor(items=["a", "b"]) as item:
        made = text(value=item)
        with dsl.If(made.output == "b"):
            fails(why="b is bad")


def around_a_condition(tmp: str, n: int = 2) -> None:
    with dsl.ExitHandler(exit_task=final(mark=tmp)), dsl.If(n == 1):
        text(value="never")


def two_of_them(first: str, second: str) -> None:
    with dsl.ExitHandler(exit_task=final(mark=first)):
        text(value="x")
    with dsl.ExitHandler(exit_task=final(mark=second)):
        fails()


def ignores_failure() -> None:
    bad = fails()
    maybe(value="still").after(bad).ignore_upstream_failure()
    text(value="not")


def ignores_a_missing_output(once: str) -> None:
    made = flaky(mark=once, failures=9)
    maybe(value=made.output).ignore_upstream_failure()


def ignores_with_status(tmp: str) -> None:
    bad = fails(why="as told")
    final(mark=tmp).after(bad).ignore_upstream_failure()


def ordinary_after_ignoring() -> None:
    bad = fails()
    kept = maybe(value="kept").after(bad).ignore_upstream_failure()
    text(value=kept.output)
    text(value="skipped").after(bad)


def ignores_what_was_skipped() -> None:
    bad = fails()
    after = text(value="never").after(bad)
    maybe(value=after.output).ignore_upstream_failure()


FILE = {"tmp": "{tmp}/end"}
CASES = [
    Case(
        "after success",
        after_success,
        ran("main-part/text", "final"),
        parameters=FILE,
        files={"end": '"state": "SUCCEEDED"'},
    ),
    Case(
        "the handler's name",
        after_success,
        ran("main-part/text", "final"),
        parameters=FILE,
        files={"end": '"pipelineTaskName": "main-part"'},
    ),
    Case(
        "after failure",
        after_failure,
        {"exit-handler-1/fails": FAILED, **ran("exit-handler-1/text", "final")},
        parameters=FILE,
        state=FAILED,
        error="no luck",
        files={"end": '"error": {"code": 9, "message": "exit code 1: no luck"}'},
    ),
    Case(
        "after cancel",
        that_is_cancelled,
        {"exit-handler-1/waits": CANCELLED, "exit-handler-1/text": CANCELLED, **ran("final")},
        parameters={**FILE, "started": "{tmp}/started"},
        state=CANCELLED,
        cancel_at="started",
        files={"end": '"state": "CANCELLED"'},
    ),
    Case("fails itself", that_fails_itself, {**ran("exit-handler-1/text"), "fails": FAILED}, state=FAILED),
    Case(
        "without status",
        without_status,
        {"exit-handler-1/fails": FAILED, **ran("mark")},
        parameters=FILE,
        state=FAILED,
        files={"end": "bye"},
    ),
    Case(
        "around a loop",
        around_a_loop,
        {
            **ran("exit-handler-1/for-loop-3/0/text", "exit-handler-1/for-loop-3/1/text", "final"),
            **skipped("exit-handler-1/for-loop-3/0/condition-4"),
            "exit-handler-1/for-loop-3/1/condition-4/fails": FAILED,
        },
        parameters=FILE,
        state=FAILED,
        files={"end": "b is bad"},
    ),
    Case(
        "around a condition",
        around_a_condition,
        {**skipped("exit-handler-1/condition-2"), **ran("final")},
        parameters=FILE,
        files={"end": "SUCCEEDED"},
    ),
    Case(
        "two",
        two_of_them,
        {**ran("exit-handler-1/text", "final", "final-2"), "exit-handler-2/fails": FAILED},
        parameters={"first": "{tmp}/1", "second": "{tmp}/2"},
        state=FAILED,
        files={"1": "SUCCEEDED", "2": "FAILED"},
    ),
    Case("ignores failure", ignores_failure, {"fails": FAILED, **ran("maybe", "text")}, state=FAILED),
    Case(
        "ignores a missing output",
        ignores_a_missing_output,
        {"flaky": FAILED, **ran("maybe")},
        parameters={"once": "{tmp}/once"},
        gives={"maybe.out": "default"},
        state=FAILED,
    ),
    Case(
        "ignores, with status",
        ignores_with_status,
        {"fails": FAILED, **ran("final")},
        parameters=FILE,
        state=FAILED,
        files={"end": "as told"},
    ),
    Case(
        "ordinary after ignoring",
        ordinary_after_ignoring,
        {"fails": FAILED, **ran("maybe", "text"), **skipped("text-2")},
        state=FAILED,
    ),
    Case(
        "ignores a skipped one",
        ignores_what_was_skipped,
        {"fails": FAILED, **skipped("text"), **ran("maybe")},
        gives={"maybe.out": "default"},
        state=FAILED,
    ),
]

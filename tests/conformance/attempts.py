"""Failure and retry: of steps, of whole pipelines, beside others that fail; failure is slow."""
# ruff: noqa: D103 (the name in the table below says what a pipeline is)

from kfp import dsl

from tests.conformance.case import FAILED, Case, ran, skipped
from tests.conformance.parts import fails, flaky, joined, text


def succeeds_at_last(once: str) -> str:
    return flaky(mark=once, failures=2).set_retry(3, backoff_duration="0s").output


def has_an_end(once: str) -> None:
    text(value=flaky(mark=once, failures=9).set_retry(2, backoff_duration="0s").output)


def beside_a_failure(once: str) -> None:
    fails()
    flaky(mark=once, failures=1).set_retry(1, backoff_duration="0s")


def in_a_loop(tmp: str) -> str:
    with dsl.ParallelFor(items=["a", "b"]) as item:
        made = flaky(mark=f"{tmp}/{item}", failures=1).set_retry(1, backoff_duration="0s")
    return joined(values=dsl.Collected(made.output)).output


@dsl.pipeline(name="inner")
def inner(once: str) -> str:
    before = text(value="before")
    return flaky(mark=once, failures=1).after(before).output


def of_a_pipeline(once: str) -> str:
    return inner(once=once).set_retry(2, backoff_duration="0s").output


@dsl.pipeline(name="hopeless")
def hopeless() -> str:
    fails(why="always")
    return text(value="fine").output


def of_a_pipeline_that_fails() -> None:
    text(value=hopeless().set_retry(1, backoff_duration="0s").output)


def is_slow() -> None:
    fails()
    a = text(value="a")
    b = text(value=a.output)
    text(value=b.output)


def two_failures() -> None:
    fails(why="one")
    fails(why="two")


ONCE = {"once": "{tmp}/once"}
CASES = [
    Case(
        "succeeds at last",
        succeeds_at_last,
        ran("flaky"),
        parameters=ONCE,
        gives={"Output": "2"},
        attempts={"flaky": 3},
    ),
    Case(
        "has an end",
        has_an_end,
        {"flaky": FAILED, **skipped("text")},
        parameters=ONCE,
        state=FAILED,
        attempts={"flaky": 3},
        error="attempt 2",
    ),
    Case(
        "beside a failure",
        beside_a_failure,
        {"fails": FAILED, **ran("flaky")},
        parameters=ONCE,
        state=FAILED,
        attempts={"flaky": 2},
    ),
    Case(
        "in a loop",
        in_a_loop,
        ran("for-loop-2/0/flaky", "for-loop-2/1/flaky", "joined"),
        parameters={"tmp": "{tmp}"},
        gives={"Output": "1+1"},
        attempts={"for-loop-2/0/flaky": 2, "for-loop-2/1/flaky": 2},
    ),
    Case("of a pipeline", of_a_pipeline, ran("inner~2/text", "inner~2/flaky"), parameters=ONCE, gives={"Output": "1"}),
    Case(
        "of a pipeline that fails",
        of_a_pipeline_that_fails,
        {"hopeless~2/fails": FAILED, **ran("hopeless~2/text"), **skipped("text")},
        state=FAILED,
        error="always",
    ),
    Case("slow", is_slow, {"fails": FAILED, **ran("text", "text-2", "text-3")}, state=FAILED),
    Case("two failures", two_failures, {"fails": FAILED, "fails-2": FAILED}, state=FAILED, error="1 more"),
]

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulators import absent
from tests.worker.adapters.engine.waiting import until
from tests.worker.pipelines.flow_world import World, make

CONDITIONAL = """
name: conditional
parameters: {deploy: false, share: 0.5, region: "CH"}
steps:
  - {id: first, type: give, config: {share: "${parameters.share}"}}
  - id: maybe
    type: note
    when: ${parameters.deploy} and ${steps.first.outputs.share} >= 0.5 and not ${parameters.region} == "it's \\"EU\\""
    config: {text: hello}
  - {id: with_it, type: read_note}
  - {id: after_it, type: note, after: [maybe]}
  - {id: anyway, type: note}
"""

LOOP = """
name: looped
parameters:
  things: {type: list, default: [], items: {type: object, fields: {name: string, wanted: boolean}}}
steps:
  - {id: each, type: note, foreach: "${parameters.things}", config: {text: "${item.name}: ${item}"}}
  - {id: together, type: gather}
"""


@pytest.fixture(name="world", scope="module")
def _world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    try:
        import kfp  # noqa: F401
    except ImportError:
        absent("kfp is not installed (the extra `compile`)")
    world = make(tmp_path_factory.mktemp("home"))
    try:
        yield world
    finally:
        world.engine.close(grace_s=0.2)


@pytest.mark.parametrize(
    ("parameters", "runs"),
    [
        ({"deploy": True}, True),
        ({"deploy": False}, False),
        ({"deploy": True, "share": 0.49}, False),
        ({"deploy": True, "share": 1}, True),
        ({"deploy": True, "region": 'it\'s "EU"'}, False),
    ],
)
def test_when(world: World, parameters: dict[str, object], runs: bool) -> None:  # noqa: FBT001 - a column of the table
    """A step runs if its condition holds; else it is skipped with what needs it, the run goes on, and succeeds."""
    done = world.run(CONDITIONAL, **parameters)

    state = "SUCCEEDED" if runs else "SKIPPED"
    assert done.state.status.name == "SUCCEEDED", done.state.error
    assert done.steps == {
        "first": "SUCCEEDED",
        "maybe": state,
        "with_it": state,
        "after_it": state,
        "anyway": "SUCCEEDED",
    }


def test_foreach(world: World) -> None:
    """A step runs once for each item, with the item in its config; what the runs gave is collected in order."""
    things = [{"name": name, "wanted": True, "size": number} for number, name in enumerate("cab")]
    done = world.run(LOOP, things=things)

    assert done.state.status.name == "SUCCEEDED", done.state.error
    assert sorted(done.steps) == ["each/0/each", "each/1/each", "each/2/each", "together"]
    assert done.read("texts")["texts"] == [
        'c: {"name": "c", "wanted": true, "size": 0}',
        'a: {"name": "a", "wanted": true, "size": 1}',
        'b: {"name": "b", "wanted": true, "size": 2}',
    ]


def test_foreach_of_nothing(world: World) -> None:
    """Over an empty list the step does not run, and what collects gets an empty list."""
    done = world.run(LOOP)

    assert done.state.status.name == "SUCCEEDED", done.state.error
    assert done.steps == {"together": "SUCCEEDED"}
    assert done.read("texts")["texts"] == []


@pytest.mark.parametrize(
    ("config", "foreach", "texts"),
    [
        ({"words": ["b", "a"]}, "${steps.first.outputs.words}", ["b", "a"]),
        ({"things": [{"n": 1}, {"n": 2.5}]}, "${steps.first.outputs.things}", [{"n": 1}, {"n": 2.5}]),
        ({"words": []}, "${steps.first.outputs.words}", []),
        ({}, "[1, 2]", [1, 2]),
        ({}, "[1, 2.5]", [1.0, 2.5]),
        ({}, "[true, false]", [True, False]),
        ({}, '["1", "x"]', ["1", "x"]),
        ({}, "[{a: 1}, {b: x}]", [{"a": 1}, {"b": "x"}]),
    ],
)
def test_lists(world: World, config: dict[str, object], foreach: str, texts: list[object]) -> None:
    """A list may be a step's value or written down; items keep their types and their order."""
    quoted = f'"{foreach}"' if foreach.startswith("$") else foreach
    done = world.run(
        f"""
name: lists
steps:
  - {{id: first, type: give, config: {config}}}
  - {{id: each, type: note, foreach: {quoted}, parallelism: 1, config: {{text: "${{item}}"}}}}
  - {{id: together, type: gather}}
"""
    )

    assert done.state.status.name == "SUCCEEDED", done.state.error
    assert done.read("texts")["texts"] == texts
    assert [type(text) for text in done.read("texts")["texts"]] == [type(text) for text in texts]


def test_when_in_a_loop(world: World) -> None:
    """With both, the condition is asked for each item; the loop itself is never skipped, and what is after it runs."""
    done = world.run(
        """
name: both
parameters:
  least: 2
  things: {type: list, items: {type: object, fields: {wanted: boolean, size: integer}}}
steps:
  - {id: first, type: give}
  - id: each
    type: note
    foreach: ${parameters.things}
    when: ${item.wanted} and ${item.size} >= ${parameters.least} and ${steps.first.outputs.better}
  - {id: last, type: note, after: [each]}
""",
        things=[{"wanted": True, "size": 1}, {"wanted": True, "size": 2}, {"wanted": False, "size": 3}],
    )

    assert done.state.status.name == "SUCCEEDED", done.state.error
    assert {path: state for path, state in done.steps.items() if path.startswith("each")} == {
        "each/0/each": "SKIPPED",
        "each/1/each": "SUCCEEDED",
        "each/2/each": "SKIPPED",
    }
    assert done.steps["last"] == "SUCCEEDED"


def test_a_failure_in_a_loop(world: World) -> None:
    """One item that fails fails the step, after the others have run; what needs it is skipped."""
    done = world.run(
        """
name: failing
steps:
  - {id: each, type: note, foreach: [false, true, false], config: {fail: "${item}"}, retry: {attempts: 3, backoff: 1s}}
  - {id: together, type: gather}
"""
    )

    assert done.state.status.name == "FAILED"
    assert [done.steps[f"each/{number}/each"] for number in range(3)] == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
    assert done.steps["together"] == "SKIPPED"
    failed = next(step for step in done.state.steps if step.step_id == "each/1/each")
    assert (failed.attempt, failed.log_tail.count("told to fail")) == (1, 1), "what is rejected is not tried again"


def test_retry_in_a_loop(world: World) -> None:
    """A loop's step is tried again by its own process, whatever the engine does for loops."""
    done = world.run(
        """
name: flaky
steps:
  - id: each
    type: trouble
    foreach: [{kind: away, name: a}, {kind: die, name: b}]
    config: {kind: "${item.kind}", name: "${item.name}", times: 2}
    retry: {attempts: 3, backoff: 10ms}
  - {id: together, type: gather}
""".replace("10ms", "0s")
    )

    assert done.state.status.name == "SUCCEEDED", done.state.error
    assert done.read("texts")["texts"] == ["a done", "b done"]
    assert [len((done.directory / f"{name}.attempts").read_text()) for name in "ab"] == [3, 3]
    logs = {step.step_id: step.log_tail for step in done.state.steps}
    assert "attempt 2 of 3 failed: TryLater: the service is away" in logs["each/0/each"]
    assert "attempt 1 of 3 failed: its process was ended by signal 9" in logs["each/1/each"]


def test_timeout(world: World) -> None:
    """A step that takes too long is ended with all below it, says so, counts as failed, and is tried again."""
    done = world.run(
        """
name: late
steps:
  - {id: slow, type: trouble, timeout: 2s, config: {kind: stall}, retry: {attempts: 2, backoff: 0s}}
"""
    )

    slow = done.state.steps[0]
    assert (done.state.status.name, slow.attempt) == ("FAILED", 2)
    assert "the step took longer than 2s, its timeout" in (slow.error or "")
    assert len((done.directory / "one.attempts").read_text()) == 2
    child = int((done.directory / "one.child").read_text())
    until(lambda: _lives(child), lambda lives: not lives, timeout_s=60.0)


def test_second_attempt_in_time(world: World) -> None:
    """Each attempt has the whole time: a second one that is quick ends the step well."""
    done = world.run(
        """
name: second
steps:
  - {id: slow, type: trouble, timeout: 3s, config: {kind: stall, times: 1}, retry: {attempts: 2, backoff: 0s}}
"""
    )

    assert (done.state.status.name, done.steps) == ("SUCCEEDED", {"slow": "SUCCEEDED"})


def test_a_failure_that_is_a_result(world: World) -> None:
    """Where the step type says so, an item that fails, however, gives its failure, and the rest goes on."""
    done = world.run(
        """
name: tolerant
steps:
  - id: each
    type: tolerant
    foreach: [{kind: none, name: a}, {kind: die, name: b}, {kind: stall, name: c}, {kind: away, name: d}]
    config: {kind: "${item.kind}", name: "${item.name}"}
    timeout: 2s
    retry: {attempts: 1}
  - {id: together, type: gather}
"""
    )

    assert done.state.status.name == "SUCCEEDED", done.state.error
    assert done.read("texts")["texts"] == [
        "a done",
        "b failed: its process was ended by signal 9",
        "c failed: the step took longer than 2s, its timeout",
        "d failed: TryLater: the service is away",
    ]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")

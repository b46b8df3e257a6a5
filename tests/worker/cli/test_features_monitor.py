"""`colony features monitor`."""

import json
from pathlib import Path

import pytest

from tests.worker.cli.conftest import Here
from tests.worker.monitor.watched import START, fill
from worker.cli.common import opened
from worker.cli.features_history import sparkline
from worker.features.port import Definition

WORDS = ("features", "monitor", "--window", "7d", "--as-of", "2024-01-15", "--min-rows", "20")


@pytest.fixture(name="moved")
def _moved(here: Here, tmp_path: Path) -> Here:
    """Give the commands on a store in which `left` has moved, and is past its ttl today."""
    with opened() as app:
        for name, type_ in (("left", "number"), ("colour", "string"), ("label", "number")):
            app.features.define(Definition(name, "thing", type_, ttl=START - START.replace(year=2023)))
        app.features.define(Definition("twice", "thing", "number", source="computed", computation="left * 2"))
        fill(app.features, range(7))
        fill(app.features, range(7, 14), shift=8)
    return here


def test_findings_come_first_and_are_told_once(moved: Here) -> None:
    """The table begins with what moved; published twice it is one event, which `colony events` lists."""
    code, out, _ = moved(*WORDS, "--publish")
    assert code == 0
    assert out.splitlines()[1].startswith("left ")
    assert "its values have moved" in out.splitlines()[1]
    assert moved(*WORDS, "--publish")[0] == 0
    events = [json.loads(line) for line in moved("events", "--json")[1].splitlines()]
    assert [(event["type"], event["data"]["feature"]) for event in events] == [("feature.drifted", "left")]


def test_stale_features_are_told(moved: Here) -> None:
    """Today the values are older than their ttl; one that never had any is not stale."""
    code, out, _ = moved("features", "monitor", "--json", "--publish")
    assert code == 0
    found = {one["feature"]: one["stale"] for one in map(json.loads, out.splitlines())}
    assert found == {"left": True, "colour": True, "label": False}
    events = [json.loads(line) for line in moved("events", "--json")[1].splitlines()]
    assert {event["type"] for event in events} == {"feature.stale"}


@pytest.mark.parametrize(("words", "code"), [(["nobody"], 4), (["twice"], 2), (["--as-of", "2924-01-01"], 2)])
def test_what_cannot_be_looked_at_is_refused(moved: Here, words: list[str], code: int) -> None:
    """An unknown feature, a computed one, and the future."""
    assert moved("features", "monitor", *words)[0] == code


def test_history_shows_the_windows_that_were_kept(moved: Here) -> None:
    """Each published window is a line, oldest first, with its course below; without --publish nothing is kept."""
    assert "nothing is kept of left yet" in moved("features", "monitor", "--history", "left")[1]
    moved(*WORDS)
    assert "nothing is kept of left yet" in moved("features", "monitor", "--history", "left")[1]
    for end in ("2024-01-08", "2024-01-15"):
        moved("features", "monitor", "--window", "7d", "--as-of", end, "--min-rows", "20", "--publish")
    code, out, _ = moved("features", "monitor", "--history", "left")
    assert code == 0
    first, second = out.splitlines()[1:3]
    assert first.startswith("2024-01-01..2024-01-08")
    assert second.startswith("2024-01-08..2024-01-15")
    assert "median   ▁█" in out
    shown = [json.loads(line) for line in moved("features", "monitor", "--history", "left", "--json")[1].splitlines()]
    assert [(one["values"], one["distinct"], one["missing"]) for one in shown] == [(70, 10, 0.0), (70, 10, 0.0)]
    assert shown[1]["quantiles"]["median"] > shown[0]["quantiles"]["median"] + 7
    assert [one["window"]["id"] for one in shown] == ["2024-01-01..2024-01-08", "2024-01-08..2024-01-15"]
    assert len(moved("features", "monitor", "--history", "left", "--limit", "1", "--json")[1].splitlines()) == 1
    assert moved("features", "monitor", "--history", "nobody")[0] == 4
    assert moved("features", "monitor", "colour", "--history", "left")[0] == 2


def test_what_is_compared_can_be_chosen(moved: Here) -> None:
    """Against training rows alone nothing is said of the week before: no model is in production here."""
    found = [json.loads(line) for line in moved(*WORDS, "--reference", "training", "--json")[1].splitlines()]
    assert [one["findings"] for one in found] == [[], [], []]


@pytest.mark.parametrize(
    ("values", "line"),
    [([1, 2, 3], "▁▅█"), ([None, 5, 5], " ▁▁"), ([], ""), ([None], " "), ([0.0, None, -7.5], "█ ▁")],
)
def test_a_course_is_drawn_as_bars(values: list[float | None], line: str) -> None:
    """From the lowest to the highest; a space where nothing is known."""
    assert sparkline(values) == line

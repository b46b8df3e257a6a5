"""What is drawn and what is remembered stays small, however much went by."""

import random
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

from tests.worker.whatif.play import actions, play, told
from worker.bee import exact
from worker.decide.decision import Action
from worker.decide.policy import MetricRule, Policy
from worker.whatif.plot import plot
from worker.whatif.report import page, picture
from worker.whatif.seen import Seen
from worker.whatif.series import MAX_MARKS, MAX_POINTS, Point, Series

SVG = "{http://www.w3.org/2000/svg}"
AT = datetime(2002, 1, 1, tzinfo=UTC)


def test_every_event_is_told_from_every_other() -> None:
    """Through all its doublings the table numbers distinct events from 0 on and knows each again."""
    seen, plain = Seen(bits=3), {}
    chance = random.Random(1)
    for _ in range(20_000):
        key = (f"//s{chance.randrange(3)}", f"e-{chance.randrange(5000)}")
        new = key not in plain
        number = plain.setdefault(key, len(plain))
        assert seen.first(*key) == (number, new)
    assert len(seen) == len(plain)


def test_a_series_keeps_its_extremes_and_its_triggers_in_bounded_memory() -> None:
    """Of a hundred thousand evaluations some two thousand points remain, and the one trigger and drop among them."""
    series = Series("f1")
    for number in range(100_000):
        drop = number == 77_777
        value = 0.1 if drop else 0.9
        action = Action.TRIGGER if drop else Action.NONE
        series.add(Point(AT + timedelta(minutes=number), value, value, 0.9, 0.72, action))
        series.mark("run", AT + timedelta(minutes=number))
    series.finish()

    assert MAX_POINTS / 2 <= len(series.points) <= MAX_POINTS
    assert min(point.low for point in series.points if point.low is not None) == 0.1
    assert [point.action for point in series.points].count(Action.TRIGGER) == 1
    assert len(series.marks["run"]) <= MAX_MARKS


def test_a_plot_shows_metric_thresholds_and_decisions() -> None:
    """The picture is well-formed, and has a dot for the trigger, a mark for each run, and the levels in words."""
    policy = Policy(MetricRule(exact("0.2"), floor=exact("0.6")))
    whatif, said = play([told(day, 0.9 if day != 5 else 0.5) for day in range(10)], policy, draw=True)

    root = ET.fromstring(picture(whatif.cases[0], "ant"))  # noqa: S314 - our own text

    assert actions(said)[5] == "trigger"
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert "2002-08-06 00:00 trigger" in titles
    assert titles.count("a run begins") == 1
    words = {text.text for text in root.iter(f"{SVG}text")}
    assert {"f1", "baseline", "fires beyond", "floor", "trigger", "bad"} <= words


def test_names_cannot_break_out_of_picture_or_page() -> None:
    """What looks like markup in a metric's name or a title stays text."""
    whatif, _ = play([told(0, 0.5)], draw=True)
    series = Series("<b>&", points=[Point(AT, None, None, None, None, Action.NONE)])

    ET.fromstring(plot("<x>", "a & b", series, []))  # noqa: S314 - our own text
    assert "<script>" not in page(whatif, "<script>", ["<script>"], [])


def test_a_bee_that_was_never_judged_has_a_picture_that_says_so() -> None:
    """Without any point the picture is still one."""
    assert "nothing was judged" in plot("ant", "", Series("f1"), [])

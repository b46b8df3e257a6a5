"""The report of a test: every number of it, whatever there is to tell, as a page and on a terminal."""

from html.parser import HTMLParser
from typing import Any

import pytest

from tests.worker.abtest.world import BEE, DAY, START, VERSIONS, arrive, judge_of, plan, running, serve, visitors
from worker.abtest.machine import looked
from worker.abtest.report import rendered
from worker.abtest.shown import shown_plan, shown_results, shown_test
from worker.adapters.features.local import LocalFeatureStore
from worker.cli.ab_table import print_plan, print_test


class _Page(HTMLParser):
    """Reads a page and notes what is not closed, and what it says."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.said: list[str] = []
        self.paths = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002 - the parser's signature
        """Note what opens."""
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002 - the parser's signature
        """Count what is drawn."""
        self.paths += tag == "path"

    def handle_endtag(self, tag: str) -> None:
        """Hold what closes against what was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the words."""
        self.said.append(data)


def _read(page: str) -> _Page:
    found = _Page()
    found.feed(page)
    assert found.open == []
    assert "<script" not in page
    assert "nan" not in page.lower().replace("finance", "")
    return found


def _shown(store: LocalFeatureStore, days: float, number: int = 400) -> dict[str, Any]:
    asked = plan(slices=["country"], guards={"recall": {"margin": 0.05}})
    test, who = running(plan=asked, forced={"2": "<b>we must</b>"}), visitors(number, START, 2 * DAY) if number else []
    past = visitors(400, START - 5 * DAY, 5 * DAY, first=9000)
    arrive(store, [*past, *who])
    serve(store, who, asked.traffic(test.id))
    judge = judge_of(store)
    forecast = judge.forecast(asked, BEE, VERSIONS["1"], START).as_json()
    found = judge.analyse(test, BEE, VERSIONS, forecast, START + days * DAY)
    after = looked(test, found.findings(asked))
    return shown_test(after, {"forecast": forecast, "results": shown_results(found, asked), "fault": None})


def test_a_page_with_everything(store: LocalFeatureStore, capsys: pytest.CaptureFixture[str]) -> None:
    """The page closes what it opens, tells the effect with its interval, and escapes what a person wrote."""
    shown = _shown(store, 2)
    page = rendered(shown)
    found = _read(page)
    words = " ".join(found.said)
    print_test(shown)
    printed = capsys.readouterr().out

    assert "<b>we must</b>" in words
    assert found.paths >= 6
    effect = shown["results"]["effects"][0]
    for text in (f"{effect['difference']:+.4f}", "recall", "country = fr", "Slices (exploratory)", "better"):
        assert text in words
    for text in (f"{effect['difference']:+.4f}", "★", "recall", "country = fr", "exploratory", "we must"):
        assert text in printed


def test_a_test_without_outcomes(store: LocalFeatureStore, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing is known nothing is told: dashes, no numbers made up."""
    shown = _shown(store, 0.01, number=0)
    words = " ".join(_read(rendered(shown)).said)
    print_test(shown)

    assert shown["results"]["effects"][0] | {"counted": 0} == {
        "version": "2", "counted": 0, "difference": None, "lower": None, "upper": None, "spared": 0.0,
    }  # fmt: skip
    assert "–" in words
    assert "–" in capsys.readouterr().out


def test_a_plan(store: LocalFeatureStore, capsys: pytest.CaptureFixture[str]) -> None:
    """What is only planned is told with its required sample."""
    arrive(store, visitors(400, START - 5 * DAY, 5 * DAY))
    forecast = judge_of(store).forecast(plan(), BEE, VERSIONS["1"], START)
    shown = shown_plan(BEE.bee, plan(), forecast.as_json(), "1")
    words = " ".join(_read(rendered(shown)).said)
    print_plan(shown)

    assert "Not started" in words
    for told in (words, capsys.readouterr().out):
        assert f"{sum(forecast.sequential):,} entities" in told

"""Where events for our own intake go."""

from pathlib import Path

import pytest

from worker.adapters.bus import local, pubsub
from worker.adapters.options import Options
from worker.clock import wall_clock


def _options(home: Path) -> Options:
    values = {"project": "p", "intake_topic": "intake", "events_topic": "events"}
    return Options(home=home, clock=wall_clock, owner="me", values=values, journal=None, source=None, environment={})  # type: ignore[arg-type]


def test_on_pubsub_it_is_the_intakes_topic(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Evaluations go to the topic that the intake's subscription is of, not to where the colony is told."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    ours, theirs = pubsub.intake_topic_from(_options(tmp_path)), pubsub.topic_from(_options(tmp_path))
    assert (ours._topic, theirs._topic) == ("projects/p/topics/intake", "projects/p/topics/events")
    for topic in (ours, theirs):
        topic.close()


def test_on_this_machine_there_is_none(tmp_path: Path) -> None:
    """The local intake takes them itself."""
    local.intake_topic_from(_options(tmp_path))
    assert not list(tmp_path.iterdir())

"""Which version is in production in a recording, and by what a bee is judged that nobody configured."""

from tests.worker.whatif.play import actions, play, told
from tests.worker.world import BEE


def test_a_newer_version_takes_over_when_it_first_appears() -> None:
    """From its first evaluation on the new version counts; what comes late of the old one is recorded only."""
    _, said = play([told(0, 0.9), told(2, 0.9, version="2"), told(1, 0.1), told(3, 0.1, version="2")])

    assert actions(said) == ["none", "none", "none", "trigger"]
    assert "not in production" in str(said[2] and said[2]["reason"])


def test_a_straggler_of_an_older_version_does_not_take_production_back() -> None:
    """A version that first appears with a time before all of the champion's is an older one."""
    _, said = play([told(5, 0.9, version="2"), told(1, 0.1, version="1"), told(6, 0.1, version="2")])

    assert actions(said) == ["none", "none", "trigger"]


def test_an_event_of_the_future_moves_nothing() -> None:
    """What is refused for its time neither puts its version into production nor leaves a baseline behind."""
    ahead = 20_000

    _, said = play([told(0, 0.9), told(ahead, 0.9, version="9"), told(1, 0.5)])
    _, other = play([told(ahead, 0.5, baseline={"f1": 0.5}), told(0, 0.5, baseline={}), told(1, 0.5)])

    assert actions(said) == ["none", "refused", "trigger"]
    assert actions(other) == ["refused", "none", "trigger"]
    assert "no baseline" in str(other[1] and other[1]["reason"])


def test_the_first_baseline_of_a_version_stands_in_where_events_have_none() -> None:
    """An event without a baseline is measured against the one that its version had first, not against another's."""
    bare = {"baseline": {}}

    _, said = play([told(0, 0.9), told(1, 0.5, **bare), told(2, 0.5, version="2", **bare)])

    assert actions(said) == ["none", "trigger", "none"]
    assert "no baseline" in str(said[2] and said[2]["reason"])


def test_an_unknown_bee_is_judged_by_its_first_metric_with_a_direction() -> None:
    """Of the metrics of a bee without configuration the first that is known and has a baseline is its own."""
    odd = {"metrics": {"magic": 1, "loss": 0.9}, "baseline": {"loss": 0.5}}

    _, said = play([told(0), told(1, **odd)])

    assert actions(said) == ["none", "trigger"]
    assert "loss 0.9 against 0.5" in str(said[1] and said[1]["reason"])


def test_a_configured_bee_keeps_its_own_evidence() -> None:
    """What the configuration asks of samples counts for its bees in foreign recordings, too."""
    few = {"window": {"sampleCount": 10}}
    spec = BEE.model_copy(update={"bee": "ant"})

    assert actions(play([told(0, 0.1, **few)], bees={"ant": spec})[1]) == ["none"]
    assert actions(play([told(0, 0.1, **few)])[1]) == ["trigger"]

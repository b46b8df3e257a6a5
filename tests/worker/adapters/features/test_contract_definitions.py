"""The contract of the port's definitions, facts and usage, proved on every backend in the table."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.worker.adapters.features.conftest import START, World
from worker.errors import Conflict, NotFound, Rejected
from worker.features.port import ANYONE, Definition, FeatureFacts, Reader, Status, TrainingRequest, Usage, Write

SCORE = Definition(
    "score", "content", "number", unit="points", tags=("b", "a", "a"), owner="q", minimum=0, maximum=10.5
)
MODEL = Reader("model:spam-guard", "serving")


class TestVersions:
    """Every version stays, and what only marks a definition makes none."""

    def test_words_and_range_come_back(self, world: World) -> None:
        """Unit, tags (sorted, once each), owner and range are stored, and the same again in other words is the same."""
        first = world.store.define(SCORE)
        (listed,) = world.again().definitions()
        assert listed == first
        assert (first.unit, first.tags, first.owner) == ("points", ("a", "b"), "q")
        assert (first.minimum, first.maximum) == (0.0, 10.5)
        assert world.store.define(replace(SCORE, tags=("a", "b"), minimum=0.0)).version == 1

    def test_the_history_of_a_definition_is_told(self, world: World) -> None:
        """Versions come oldest first, each as it was."""
        for ttl in (1, 2, 3):
            world.store.define(replace(SCORE, ttl=timedelta(days=ttl)))
        history = world.again().versions("score")
        assert [(one.version, one.ttl) for one in history] == [(n, timedelta(days=n)) for n in (1, 2, 3)]
        with pytest.raises(NotFound, match="nope"):
            world.store.versions("nope")

    def test_deprecating_marks_the_version_that_stands(self, world: World) -> None:
        """Its values mean what they did, so it is no new version; taken back it is as before."""
        first = world.store.define(SCORE)
        marked = world.store.define(replace(SCORE, deprecated="use score_2"))
        assert marked == replace(first, deprecated="use score_2")
        assert world.again().versions("score") == [marked]
        assert world.store.define(SCORE) == first
        assert world.store.define(replace(SCORE, deprecated="x", ttl=timedelta(days=1))).version == 2


class TestRange:
    """A declared range is held."""

    @pytest.mark.parametrize("value", [-0.001, 10.500001, -1e300])
    def test_a_value_outside_is_refused_with_the_range(self, world: World, value: float) -> None:
        """The error names feature, value and range, and nothing is stored."""
        world.store.define(SCORE)
        with pytest.raises(Rejected, match=r"outside the range of 'score': 0 to 10\.5") as caught:
            world.store.write([Write("c", "score", value, START)])
        assert caught.value.field == "value"
        assert world.store.read(["c"], ["score"], now=START)["c"]["score"].status is Status.MISSING

    @pytest.mark.parametrize("value", [0.0, 10.5, 3, None])
    def test_the_bounds_themselves_and_null_are_inside(self, world: World, value: float | None) -> None:
        """Both bounds are inclusive, and NULL is a value of every feature."""
        world.store.define(SCORE)
        assert world.store.write([Write("c", "score", value, START)]) == 1

    def test_a_new_range_holds_from_then_on(self, world: World) -> None:
        """What was stored before stays readable."""
        world.store.define(SCORE)
        world.store.write([Write("c", "score", 9.0, START)])
        assert world.store.define(replace(SCORE, maximum=5)).version == 2
        assert world.store.read(["c"], ["score"], now=START)["c"]["score"].value == 9.0
        with pytest.raises(Rejected, match="0 to 5"):
            world.store.write([Write("c", "score", 9.5, START)])


class TestDelete:
    """Deleting takes definition and values."""

    def test_it_is_gone(self, world: World) -> None:
        """The name is unknown, everywhere and at once; another feature of the same entity stays."""
        other = Definition("other", "content", "number")
        for definition in (SCORE, other):
            world.store.define(definition)
            world.store.write([Write("c", definition.name, 1.0, START, START)])
        world.store.delete("score")
        for store in (world.store, world.again()):
            assert [one.name for one in store.definitions()] == ["other"]
            assert [fact.feature for fact in store.facts()] == ["other"]
            with pytest.raises(NotFound):
                store.read(["c"], ["score"], now=START)
            with pytest.raises(Rejected):
                store.training_read(TrainingRequest("content", ("score",), {}, (("c", START),)))
        assert world.store.read(["c"], ["other"], now=START)["c"]["other"].value == 1.0

    def test_what_is_not_there_cannot_be_deleted(self, world: World) -> None:
        """Deleting twice is told."""
        world.store.define(SCORE)
        world.store.delete("score")
        with pytest.raises(NotFound):
            world.store.delete("score")

    def test_its_versions_are_never_given_again(self, world: World) -> None:
        """A model that was trained with version 1 does not meet another version 1."""
        world.store.define(SCORE)
        world.store.delete("score")
        assert world.store.define(SCORE).version == 2

    def test_what_something_is_computed_from_stays(self, world: World) -> None:
        """The computed feature is named; once it is deleted the other can be, too."""
        world.store.define(SCORE)
        world.store.define(
            Definition("twice", "content", "number", source="computed", computation="score * 2"),
        )
        with pytest.raises(Conflict, match="twice"):
            world.store.delete("score")
        world.store.delete("twice")
        world.store.delete("score")
        assert not world.store.definitions()


class TestFacts:
    """What the store knows of its values."""

    def test_values_are_counted_with_the_newest_and_the_last_written(self, world: World) -> None:
        """Repeats do not count, late data does not move the newest event, and a write moves the time of writing."""
        world.store.define(SCORE)
        assert list(world.store.facts()) == [FeatureFacts("score", 0, None, None)]
        newest = START - timedelta(days=1)
        world.store.write([Write("c", "score", 1.0, newest, newest)])
        written = world.later(hours=1)
        world.store.write([Write("c", "score", 2.0, newest - timedelta(days=5), newest)])
        world.later(hours=1)
        world.store.write([Write("c", "score", 1.0, newest, newest)])
        assert list(world.again().facts()) == [FeatureFacts("score", 2, newest, written)]


class TestUsage:
    """Reads are counted."""

    def test_reads_are_counted_per_feature_caller_and_purpose(self, world: World) -> None:
        """Values count, by feature and reader, whatever kind of read it was."""
        for name in ("a", "b"):
            world.store.define(Definition(name, "content", "number"))
        world.store.read(["x", "y"], ["a", "b"], now=START, reader=MODEL)
        world.store.read(["x"], ["a"], now=START, reader=MODEL)
        world.store.read(["x"], ["b"], now=START)
        world.store.write([Write("x", "a", 1.0, START, START)])
        request = TrainingRequest("content", ("a",), {}, (("x", START), ("y", START)))
        world.store.training_read(request, reader=Reader("model:spam-guard", "training"))
        assert list(world.store.usage()) == [
            Usage("a", MODEL, 3, START),
            Usage("a", Reader("model:spam-guard", "training"), 2, START),
            Usage("b", MODEL, 2, START),
            Usage("b", ANYONE, 1, START),
        ]

    def test_a_read_that_failed_is_none(self, world: World) -> None:
        """What is refused was not read."""
        with pytest.raises(NotFound):
            world.store.read(["x"], ["nope"], now=START)
        assert not world.store.usage()

    def test_what_was_counted_is_kept_when_the_store_closes(self, world: World) -> None:
        """Another process sees it then, added to what others have counted."""
        world.store.define(SCORE)
        for _ in range(2):
            store = world.again()
            store.read(["x"], ["score"], now=START, reader=MODEL)
            store.close()
        assert list(world.store.usage()) == [Usage("score", MODEL, 2, START)]

    def test_minutes_that_are_over_are_taken_once(self, world: World) -> None:
        """One aggregate per feature and minute, whoever read, to whoever asks first."""
        world.store.define(SCORE)
        for reader in (MODEL, ANYONE):
            store = world.again()
            store.read(["x", "y"], ["score"], now=START + timedelta(seconds=5), reader=reader)
            store.close()
        minute = timedelta(minutes=1)
        assert list(world.store.take_accesses(START + minute - timedelta(microseconds=1))) == []
        (taken,) = world.store.take_accesses(START + minute)
        assert (taken.feature, taken.minute, taken.reads) == ("score", START, 4)
        assert list(world.again().take_accesses(START + minute)) == []

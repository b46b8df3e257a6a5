"""The contract of the feature store port, proved on every backend in the table."""

import zoneinfo
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from tests.worker.adapters.features.conftest import START, World
from worker.errors import Conflict, NotFound, Rejected
from worker.features.port import Definition, LabelWindow, Reading, Status, TrainingRequest, Value, Write

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SCORE = Definition("score", "content", "number")
NICK = Definition("nick", "user", "string")
AUTHOR = Definition("author", "content", "string")
LABEL = Definition("label", "content", "number")
KARMA = Definition("karma", "user", "number", ttl=2 * DAY)


def at(days: float) -> datetime:
    """Return a time that many days before the clock's start."""
    return START - days * DAY


def put(world: World, entity: str, feature: str, value: Value, days: float, known: float | None = None) -> int:
    """Write one value, `days` before the start, known `known` days before it (None: at once)."""
    return world.store.write([Write(entity, feature, value, at(days), at(days if known is None else known))])


def spine(*rows: tuple[str, float], features: Sequence[str] = ("score",), respect: bool = True) -> TrainingRequest:
    """Ask for features of content at times given in days before the start."""
    times = tuple((entity, at(days)) for entity, days in rows)
    return TrainingRequest("content", tuple(features), {"user": "author"}, times, None, respect)


def labelled(*features: str, start: float = 30, end: float = 0, respect: bool = True) -> TrainingRequest:
    """Ask for features at the observations of the label in a window, in days before the start."""
    window = LabelWindow("label", at(start), at(end))
    return TrainingRequest("content", features, {"user": "author"}, None, window, respect)


@pytest.fixture
def filled(world: World) -> World:
    """A store in which the features are defined."""
    for definition in (SCORE, NICK, AUTHOR, LABEL, KARMA):
        world.store.define(definition)
    return world


class TestDefinitions:
    """Definitions are versioned and checked."""

    def test_the_first_is_version_one_and_the_same_again_changes_nothing(self, world: World) -> None:
        """Defining is idempotent."""
        first = world.store.define(SCORE)
        assert first.version == 1
        assert world.store.define(SCORE) == first
        assert world.again().define(first) == first
        assert list(world.store.definitions()) == [first]

    def test_a_change_is_a_new_version(self, world: World) -> None:
        """A changed description or ttl is the next version, and only the newest is listed."""
        world.store.define(SCORE)
        changed = Definition("score", "content", "number", description="how good", ttl=DAY, group="content", owner="q")
        assert world.store.define(changed).version == 2
        (listed,) = world.again().definitions()
        assert (listed.version, listed.ttl, listed.description, listed.group) == (2, DAY, "how good", "content")

    def test_they_are_listed_by_name(self, filled: World) -> None:
        """The listing is sorted."""
        assert [found.name for found in filled.store.definitions()] == ["author", "karma", "label", "nick", "score"]

    @pytest.mark.parametrize("other", [Definition("score", "content", "string"), Definition("score", "user", "number")])
    def test_type_and_entity_cannot_change_while_values_exist(self, filled: World, other: Definition) -> None:
        """Before the first value they can, afterwards it is a conflict that names both."""
        assert filled.store.define(other).version == 2
        filled.store.define(SCORE)
        put(filled, "c", "score", 1.0, 1)
        with pytest.raises(Conflict, match="has values"):
            filled.store.define(other)

    def test_a_bad_or_computed_definition_is_refused(self, world: World) -> None:
        """What cannot be kept is not stored."""
        for bad in (Definition("No", "content", "number"), Definition("x", "content", "number", source="computed")):
            with pytest.raises(Rejected):
                world.store.define(bad)
        assert not world.store.definitions()


class TestWrites:
    """Writes are all or nothing, and the same again changes nothing."""

    def test_new_values_are_counted(self, filled: World) -> None:
        """The answer is how many were new."""
        writes = [Write("c", "score", float(day), at(day), at(day)) for day in range(5)]
        assert filled.store.write(writes) == 5
        assert filled.store.write([*writes, Write("c", "score", 9.0, at(9), at(9))]) == 1
        assert filled.store.write([]) == 0

    def test_the_same_twice_in_one_call_is_one(self, filled: World) -> None:
        """A duplicate inside a batch is dropped, with and without a known-at."""
        for known_at in (None, at(1)):
            write = Write(f"c{known_at}", "score", 1.0, at(1), known_at)
            assert filled.store.write([write, write]) == 1

    def test_without_known_at_the_same_value_adds_nothing_later(self, filled: World) -> None:
        """A repeated delivery without a known-at, an hour later, finds its value standing."""
        write = Write("c", "score", 1.0, at(1))
        assert filled.store.write([write]) == 1
        filled.later(hours=1)
        assert filled.store.write([write]) == 0
        newer = Write("c", "score", 2.0, at(0.5))
        assert filled.store.write([newer]) == 1
        assert filled.store.write([write, newer]) == 0

    def test_going_back_to_an_earlier_value_is_a_change(self, filled: World) -> None:
        """A correction that is taken back is a value of its own, and it is the one that stands."""
        for number, value in enumerate((1.0, 2.0, 1.0)):
            filled.later(hours=number)
            assert filled.store.write([Write("c", "score", value, at(1))]) == 1
        assert filled.store.read(["c"], ["score"], now=filled.clock())["c"]["score"].value == 1.0

    def test_another_known_at_is_another_observation(self, filled: World) -> None:
        """The same value known at another time is stored beside it."""
        assert put(filled, "c", "score", 1.0, 5, known=5) == 1
        assert put(filled, "c", "score", 1.0, 5, known=4) == 1
        assert put(filled, "c", "score", 1.0, 5, known=5) == 0

    @pytest.mark.parametrize(
        ("write", "field"),
        [
            (Write("c", "nope", 1.0, START), "featureName"),
            (Write("c", "score", "text", START), "value"),
            (Write("c", "score", True, START), "value"),  # noqa: FBT003 - a boolean is no number
            (Write("c", "score", float("nan"), START), "value"),
            (Write("", "score", 1.0, START), "entityId"),
            (Write("c", "score", 1.0, datetime(2002, 1, 1)), "timestamp"),  # noqa: DTZ001 - no zone, on purpose
            (Write("c", "score", 1.0, START + timedelta(minutes=5, microseconds=1)), "timestamp"),
            (Write("c", "score", 1.0, START, START + HOUR), "knownAt"),
        ],
    )
    def test_one_bad_value_refuses_the_call(self, filled: World, write: Write, field: str) -> None:
        """Nothing of a call with a bad value is stored, and the error tells which one and why."""
        good = Write("good", "score", 1.0, at(1))
        with pytest.raises(Rejected) as alone:
            filled.store.write([write])
        assert alone.value.field == field
        with pytest.raises(Rejected) as among:
            filled.store.write([good, good, write])
        assert among.value.field == f"values[2].{field}"
        assert filled.store.read(["good"], ["score"], now=START)["good"]["score"].status is Status.MISSING

    @pytest.mark.parametrize(
        ("kind", "values"),
        [
            ("number", [0.1, -1e308, 5e-324, 0.0]),
            ("string", ["", "ÿ💡", "a\0b", "x" * 65536, "1", "NULL"]),
            ("boolean", [True, False]),
            ("vector", [[1.0], [0.1, -2.5, 3e300]]),
        ],
    )
    def test_every_type_comes_back_as_it_was(self, world: World, kind: str, values: list[Value]) -> None:
        """Values and NULLs of every type read the same online and point-in-time."""
        world.store.define(Definition("it", "content", kind))
        for number, value in enumerate([*values, None]):
            world.store.write([Write(f"c{number}", "it", value, at(1), at(1))])
        ids = [f"c{number}" for number in range(len(values) + 1)]
        read = world.again().read(ids, ["it"], now=START)
        assert [read[entity]["it"].value for entity in ids] == [*values, None]
        assert [type(read[entity]["it"].value) for entity in ids] == [*map(type, values), type(None)]
        table = world.store.training_read(TrainingRequest("content", ("it",), {}, tuple((i, START) for i in ids)))
        assert table.columns["it"] == [*values, None]
        assert [type(value) for value in table.columns["it"]] == [*map(type, values), type(None)]

    @pytest.mark.parametrize("entity", ["a/b?c=%20", "naïve 💡", "x" * 1024, "'; DROP TABLE x; --", "\n", '"\\u0041'])
    def test_any_entity_id_reads_back(self, filled: World, entity: str) -> None:
        """Ids with quotes, slashes, escapes and any unicode are told apart from one another."""
        put(filled, entity, "score", 1.0, 1)
        put(filled, entity[:-1] + "z", "score", 2.0, 1)
        read = filled.store.read([entity, "absent"], ["score"], now=START)
        assert read[entity]["score"] == Reading(Status.PRESENT, 1.0, at(1))
        assert read["absent"]["score"] == Reading(Status.MISSING)
        assert filled.store.training_read(spine((entity, 0.5))).columns["score"] == [1.0]

    def test_the_first_and_the_last_time_there_is(self, filled: World) -> None:
        """Times from year 1 to now, before 1970 too, are kept to the microsecond."""
        first = datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
        filled.store.write([Write("c", "score", 1.0, first, first)])
        assert filled.store.read(["c"], ["score"], now=START)["c"]["score"].event_time == first
        rows = (("c", first - timedelta(microseconds=1)), ("c", first), ("c", datetime(9999, 12, 31, tzinfo=UTC)))
        assert filled.store.training_read(TrainingRequest("content", ("score",), {}, rows)).columns["score"] == [
            None,
            1.0,
            1.0,
        ]

    def test_times_of_any_zone_are_one_time(self, filled: World) -> None:
        """The hour that a clock change repeats is two hours, and a zone is only a way of writing a time."""
        berlin = zoneinfo.ZoneInfo("Europe/Berlin")
        first, second = (datetime(2001, 10, 28, 2, 30, tzinfo=berlin, fold=fold) for fold in (0, 1))
        writes = [Write("c", "score", float(number), time, time) for number, time in enumerate((first, second))]
        assert filled.store.write(writes) == 2
        utc = datetime(2001, 10, 28, 0, 30, tzinfo=UTC)
        assert filled.store.write([Write("c", "score", 0.0, utc, utc)]) == 0
        rows = (("c", first), ("c", second), ("c", utc), ("c", utc + HOUR))
        table = filled.store.training_read(TrainingRequest("content", ("score",), {}, rows))
        assert table.columns["score"] == [0.0, 1.0, 0.0, 1.0]
        assert list(table.times) == [utc, utc + HOUR, utc, utc + HOUR]


class TestOnlineReads:
    """The newest value, and never one that does not count."""

    def test_late_data_never_replaces_a_newer_value(self, filled: World) -> None:
        """An older event that arrives later, and one known earlier, leave the newest where it is."""
        put(filled, "c", "score", 2.0, 1, known=0.5)
        put(filled, "c", "score", 1.0, 2, known=0)
        put(filled, "c", "score", 3.0, 1, known=1)
        assert filled.store.read(["c"], ["score"], now=START)["c"]["score"] == Reading(Status.PRESENT, 2.0, at(1))

    def test_ties_go_to_the_newest_known_and_then_to_the_last_written(self, filled: World) -> None:
        """For one event time the newest known-at wins, for one known-at the last write."""
        put(filled, "c", "score", 1.0, 1, known=1)
        put(filled, "c", "score", 2.0, 1, known=1)
        assert filled.store.read(["c"], ["score"], now=START)["c"]["score"].value == 2.0
        put(filled, "c", "score", 3.0, 1, known=0.5)
        put(filled, "c", "score", 4.0, 1, known=0.7)
        assert filled.store.read(["c"], ["score"], now=START)["c"]["score"].value == 3.0

    def test_a_repeat_of_an_earlier_tie_changes_nothing(self, filled: World) -> None:
        """A duplicate of a value that lost a tie does not win it by coming again."""
        put(filled, "c", "score", 1.0, 1)
        put(filled, "c", "score", 2.0, 1)
        assert put(filled, "c", "score", 1.0, 1) == 0
        assert filled.store.read(["c"], ["score"], now=START)["c"]["score"].value == 2.0

    def test_expiry_to_the_microsecond(self, filled: World) -> None:
        """Exactly as old as its ttl a value is present, a microsecond later it is expired and not shown."""
        put(filled, "u", "karma", 5.0, 2)
        assert filled.store.read(["u"], ["karma"], now=START)["u"]["karma"] == Reading(Status.PRESENT, 5.0, at(2))
        late = START + timedelta(microseconds=1)
        assert filled.store.read(["u"], ["karma"], now=late)["u"]["karma"] == Reading(Status.EXPIRED, None, at(2))

    def test_a_null_is_told_from_nothing(self, filled: World) -> None:
        """A NULL hides the older value and says so."""
        put(filled, "c", "score", 1.0, 2)
        put(filled, "c", "score", None, 1)
        assert filled.store.read(["c"], ["score"], now=START)["c"]["score"] == Reading(Status.NULL, None, at(1))

    def test_one_id_under_two_entities(self, filled: World) -> None:
        """A user and a content of one name have nothing to do with each other."""
        put(filled, "same", "score", 1.0, 1)
        put(filled, "same", "nick", "bee", 1)
        read = filled.store.read(["same"], ["nick", "score"], now=START)["same"]
        assert {name: reading.value for name, reading in read.items()} == {"nick": "bee", "score": 1.0}

    def test_many_entities_and_features_are_all_answered(self, filled: World) -> None:
        """Each pair asked for is in the answer, also what is missing, in the order asked."""
        put(filled, "b", "score", 1.0, 1)
        read = filled.store.read(["z", "b", "z"], ["score", "author"], now=START)
        assert list(read) == ["z", "b"]
        assert [list(readings) for readings in read.values()] == [["score", "author"]] * 2
        assert read["b"]["score"].status is Status.PRESENT
        assert read["z"]["author"].status is Status.MISSING

    def test_an_unknown_feature_and_a_bad_id_are_told(self, filled: World) -> None:
        """What is not defined is not found, what is no id is refused."""
        with pytest.raises(NotFound, match="score"):
            filled.store.read(["c"], ["nope"], now=START)
        with pytest.raises(Rejected):
            filled.store.read([""], ["score"], now=START)

    def test_another_process_sees_what_was_written_and_defined(self, filled: World) -> None:
        """A store opened beside sees writes and new definitions at once."""
        beside = filled.again()
        put(filled, "c", "score", 1.0, 1)
        assert beside.read(["c"], ["score"], now=START)["c"]["score"].value == 1.0
        beside.define(Definition("fresh", "content", "boolean"))
        filled.store.write([Write("c", "fresh", True, at(1))])  # noqa: FBT003 - the value
        assert beside.read(["c"], ["fresh"], now=START)["c"]["fresh"].value is True


class TestTrainingReads:
    """What was true, and known, at each row's time."""

    def test_rows_keep_order_and_duplicates_and_all_are_answered(self, filled: World) -> None:
        """The table has the spine's rows."""
        put(filled, "a", "score", 1.0, 5)
        put(filled, "b", "score", 2.0, 3)
        rows = (("b", 2.0), ("a", 2.0), ("nobody", 2.0), ("b", 2.0), ("b", 4.0))
        table = filled.store.training_read(spine(*rows))
        assert table.columns == {"score": [2.0, 1.0, None, 2.0, None]}
        assert list(table.entity_ids) == [entity for entity, _ in rows]
        assert list(table.times) == [at(days) for _, days in rows]
        assert table.definitions == {"score": 1, "author": 1}

    def test_known_at_decides_and_can_be_switched_off(self, filled: World) -> None:
        """Late data counts from when it was known; switched off, from its event time."""
        put(filled, "c", "score", 1.0, 9)
        put(filled, "c", "score", 2.0, 8, known=4)
        rows = (("c", 5.0), ("c", 4.0))
        assert filled.store.training_read(spine(*rows)).columns["score"] == [1.0, 2.0]
        assert filled.store.training_read(spine(*rows, respect=False)).columns["score"] == [2.0, 2.0]

    def test_features_of_another_entity_come_through_its_key_at_that_time(self, filled: World) -> None:
        """The author is read point-in-time, and then the author's own feature at the same time."""
        put(filled, "c", "author", "ann", 9)
        put(filled, "c", "author", "bob", 5)
        put(filled, "ann", "karma", 1.0, 9)
        put(filled, "ann", "nick", "a", 9)
        put(filled, "bob", "nick", "b", 5)
        rows = (("c", 10.0), ("c", 8.0), ("c", 5.0), ("d", 5.0))
        table = filled.store.training_read(spine(*rows, features=("nick", "karma")))
        assert table.columns == {"nick": [None, "a", "b", None], "karma": [None, 1.0, None, None]}

    def test_a_ttl_ends_a_value_in_the_past_too(self, filled: World) -> None:
        """Exactly ttl old counts, a microsecond more does not."""
        put(filled, "c", "author", "ann", 9)
        put(filled, "ann", "karma", 1.0, 9)
        rows = (("c", at(7)), ("c", at(7) + timedelta(microseconds=1)))
        request = TrainingRequest("content", ("karma",), {"user": "author"}, rows)
        assert filled.store.training_read(request).columns["karma"] == [1.0, None]

    def test_labels_make_the_rows(self, filled: World) -> None:
        """One row per observation in [start, end), by time and then id; NULL labels and later ones are none."""
        for entity, days in (("b", 30), ("z", 20), ("a", 20), ("late", 0), ("early", 31)):
            put(filled, entity, "label", 1.0, days)
            put(filled, entity, "score", days, days)
        put(filled, "null", "label", None, 10)
        put(filled, "b", "label", 0.0, 10)
        table = filled.store.training_read(labelled("score"))
        assert list(table.entity_ids) == ["b", "a", "z", "b"]
        assert list(table.times) == [at(30), at(20), at(20), at(10)]
        assert table.columns == {"score": [30.0, 20.0, 20.0, 30.0], "label": [1.0, 1.0, 1.0, 0.0]}
        assert table.definitions == {"score": 1, "author": 1, "label": 1}

    def test_the_label_counts_as_it_was_known_at_the_end(self, filled: World) -> None:
        """A correction that was known by the end wins, one known after it does not, and a retraction is no row."""
        put(filled, "a", "label", 0.0, 10, known=9)
        put(filled, "a", "label", 1.0, 10, known=5)
        put(filled, "a", "label", 0.5, 10, known=4.99)
        put(filled, "b", "label", 1.0, 10, known=4)
        put(filled, "c", "label", 1.0, 10, known=9)
        put(filled, "c", "label", None, 10, known=8)
        table = filled.store.training_read(labelled(end=5))
        assert list(table.entity_ids) == ["a"]
        assert table.columns == {"label": [1.0]}
        everything = filled.store.training_read(labelled(end=5, respect=False))
        assert dict(zip(everything.entity_ids, everything.columns["label"], strict=True)) == {"a": 0.5, "b": 1.0}

    def test_a_window_without_labels_is_an_empty_table(self, filled: World) -> None:
        """No observation is no row, and no error."""
        table = filled.store.training_read(labelled("score", "karma"))
        assert list(table.entity_ids) == []
        assert table.columns == {"score": [], "karma": [], "label": []}

    def test_known_at_that_removes_every_label_fails_with_counts_and_mend(self, filled: World) -> None:
        """A backfill without known-at cannot pass as an empty window."""
        filled.store.write([Write(f"c{number}", "label", 1.0, at(10)) for number in range(7)])
        with pytest.raises(Rejected, match="0 of 7") as caught:
            filled.store.training_read(labelled("score", end=1))
        assert "respectKnownAt" in caught.value.mend
        assert "--known-at" in caught.value.mend

    def test_known_at_that_removes_all_of_one_feature_fails_and_names_it(self, filled: World) -> None:
        """A feature that is empty only because it was backfilled is named; one that has no values is not."""
        for entity in ("a", "b"):
            put(filled, entity, "label", 1.0, 10)
            put(filled, entity, "score", 1.0, 20, known=1)
        with pytest.raises(Rejected, match=r"score \(0 of 2 kept\)") as caught:
            filled.store.training_read(labelled("score", "karma"))
        assert "karma" not in caught.value.reason
        table = filled.store.training_read(labelled("score", "karma", respect=False))
        assert table.columns["score"] == [1.0, 1.0]

    def test_known_at_that_removes_every_key_fails_and_names_it(self, filled: World) -> None:
        """If no row reaches its user only because the key came late, the key is named."""
        put(filled, "c", "author", "ann", 20, known=1)
        put(filled, "ann", "nick", "a", 20)
        with pytest.raises(Rejected, match="author"):
            filled.store.training_read(spine(("c", 10), features=("nick",)))

    @pytest.mark.parametrize(
        ("request_", "match"),
        [
            (spine(("c", 1), features=("nope",)), "nope"),
            (spine(("c", 1), features=()), "no feature"),
            (spine(("", 1)), "empty"),
            (labelled("label"), "among the features"),
            (labelled(start=1, end=2), "ends before"),
            (TrainingRequest("content", ("nick",), {}, (("c", at(1)),)), "nick"),
            (TrainingRequest("content", ("score",), {}), "either a spine or a label"),
            (TrainingRequest("content", ("score",), {"user": "score"}, ()), "number"),
            (TrainingRequest("content", ("score",), {"user": "nick"}, ()), "nick"),
            (TrainingRequest("content", ("score",), {"content": "author"}, ()), "themselves"),
            (TrainingRequest("user", ("nick",), {}, None, LabelWindow("label", at(2), at(1))), "label"),
        ],
    )
    def test_a_request_that_cannot_be_answered_is_refused(
        self, filled: World, request_: TrainingRequest, match: str
    ) -> None:
        """Unknown names, unreachable entities, wrong keys and contradictions are refused before anything is read."""
        with pytest.raises(Rejected, match=match):
            filled.store.training_read(request_)


class TestSnapshots:
    """A snapshot id is the answer's own name, and gives it back."""

    @pytest.mark.parametrize("kind", ["spine", "label"])
    def test_a_snapshot_reproduces_after_anything_written_later(self, filled: World, kind: str) -> None:
        """Late data, corrections, new labels and new definitions do not change what was read, in any process."""
        put(filled, "c", "label", 1.0, 5)
        put(filled, "c", "author", "ann", 9)
        put(filled, "ann", "karma", 1.0, 6)
        put(filled, "c", "score", 1.0, 9)
        request = (
            labelled("score", "karma") if kind == "label" else spine(("c", 5), ("d", 4), features=("karma", "score"))
        )
        before = filled.store.training_read(request)
        put(filled, "c", "score", 2.0, 8)
        put(filled, "c", "label", 0.0, 5, known=4)
        put(filled, "b", "label", 0.0, 7)
        put(filled, "c", "author", "bob", 9)
        filled.store.define(Definition("karma", "user", "number", ttl=timedelta(seconds=1)))
        assert filled.again().reproduce(before.snapshot_id) == before
        after = filled.store.training_read(request)
        assert after.snapshot_id != before.snapshot_id
        assert after.columns != before.columns
        assert filled.store.reproduce(after.snapshot_id) == after

    def test_the_same_question_with_the_same_answer_has_the_same_id(self, filled: World) -> None:
        """Writes that do not matter to a request leave its id as it is; another request has another."""
        put(filled, "c", "label", 1.0, 5)
        put(filled, "c", "score", 1.0, 9)
        first = filled.store.training_read(labelled("score"))
        filled.later(hours=3)
        put(filled, "other", "score", 5.0, 9)
        put(filled, "c", "score", 5.0, 1)
        put(filled, "c", "karma", 5.0, 1)
        assert filled.again().training_read(labelled("score")) == first
        assert filled.store.training_read(labelled("score", end=1)).snapshot_id != first.snapshot_id
        filled.store.define(Definition("score", "content", "number", ttl=400 * DAY))
        assert filled.store.training_read(labelled("score")).snapshot_id != first.snapshot_id

    def test_an_unknown_snapshot_is_not_found(self, filled: World) -> None:
        """An id that was never given is not found."""
        with pytest.raises(NotFound):
            filled.store.reproduce("snap-0")


class TestLabelCounts:
    """How much is new since a champion was trained."""

    def test_observations_are_counted_when_they_became_known(self, filled: World) -> None:
        """Known in (after, by], true by then, each entity and event time once, NULLs not."""
        put(filled, "at after", "label", 1.0, 20, known=10)
        put(filled, "in", "label", 1.0, 20, known=9)
        put(filled, "in", "label", 0.0, 20, known=8)
        put(filled, "in", "label", 0.0, 7)
        put(filled, "at by", "label", 1.0, 5)
        put(filled, "too late", "label", 1.0, 20, known=4)
        put(filled, "not true yet", "label", 1.0, 4, known=6)
        put(filled, "null", "label", None, 7)
        assert filled.store.count_labels("content", "label", known_after=at(10), known_by=at(5)) == 3

    def test_a_label_of_another_entity_is_refused(self, filled: World) -> None:
        """What is counted must exist, and belong to the entity."""
        with pytest.raises(Rejected):
            filled.store.count_labels("user", "label", known_after=at(10), known_by=at(5))
        with pytest.raises(NotFound):
            filled.store.count_labels("content", "nope", known_after=at(10), known_by=at(5))


def test_verify_makes_a_real_call(world: World) -> None:
    """A store that works passes, again and again."""
    world.store.verify()
    world.again().verify()

"""Computed features on every backend: one definition, read online, in batch and point-in-time."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.adapters.features.conftest import OPENERS, START, World
from tests.worker.features.computed import generated
from tests.worker.features.computed.reference import Entry, Reference
from worker.clock import VirtualClock, from_us, to_us
from worker.errors import Conflict, NotFound, Rejected
from worker.features.port import Definition, LabelWindow, Reading, Status, TrainingRequest, Value, Write

DAY = timedelta(days=1)
ENGAGEMENT = Definition("engagement", "user", "number")
AGE = Definition("account_age", "user", "number", ttl=10 * DAY)
RATE = Definition("rate", "user", "number", source="computed", computation="sum(engagement) / account_age")
WEEK = Definition("week", "user", "number", source="computed", computation="count(engagement over 7d)")


def at(days: float) -> datetime:
    """Return a time that many days before the clock's start."""
    return START - days * DAY


def put(world: World, entity: str, feature: str, value: Value, days: float, known: float | None = None) -> int:
    """Write one value, `days` before the start, known `known` days before it (None: at once)."""
    return world.store.write([Write(entity, feature, value, at(days), at(days if known is None else known))])


def asked(*rows: tuple[str, float], features: Sequence[str] = ("rate",), respect: bool = True) -> TrainingRequest:
    """Ask for features of users at times given in days before the start."""
    return TrainingRequest("user", tuple(features), {}, tuple((one, at(days)) for one, days in rows), None, respect)


@pytest.fixture
def filled(world: World) -> World:
    """The mission's example with two users."""
    for definition in (ENGAGEMENT, AGE, RATE, WEEK):
        world.store.define(definition)
    for days in range(10):
        put(world, "ann", "engagement", float(days), days)
    put(world, "ann", "account_age", 30.0, 5)
    put(world, "bob", "engagement", 4.0, 20)
    put(world, "bob", "account_age", 8.0, 11)
    return world


def online(world: World, entity: str, *names: str, now: datetime = START) -> list[Reading]:
    """Return the readings of one entity."""
    return list(world.store.read([entity], names, now=now)[entity].values())


class TestReads:
    """The same answer by each way."""

    def test_the_missions_example(self, filled: World) -> None:
        """`sum(engagement) / account_age` works as written."""
        assert online(filled, "ann", "rate") == [Reading(Status.PRESENT, 45.0 / 30.0, START)]

    def test_stored_and_computed_together_for_many(self, filled: World) -> None:
        """In the order asked, each entity once, with those that nobody knows."""
        found = filled.store.read(["bob", "ann", "zoe", "ann"], ["week", "engagement", "rate"], now=START)
        assert list(found) == ["bob", "ann", "zoe"]
        assert [list(readings) for readings in found.values()] == [["week", "engagement", "rate"]] * 3
        assert found["ann"]["week"] == Reading(Status.PRESENT, 7.0, START)
        assert found["ann"]["engagement"] == Reading(Status.PRESENT, 0.0, START)
        assert found["bob"]["week"] == Reading(Status.PRESENT, 0.0, None)
        assert found["zoe"]["rate"] == Reading(Status.MISSING)

    def test_each_status(self, filled: World) -> None:
        """NULL where something was read, EXPIRED where all is too old, MISSING where there is nothing."""
        (bob,) = online(filled, "bob", "rate")
        assert bob == Reading(Status.NULL, None, at(20))  # his age is expired, his engagement is not
        filled.store.define(Definition("young", "user", "boolean", source="computed", computation="account_age < 30"))
        assert online(filled, "ann", "young") == [Reading(Status.PRESENT, value=False, event_time=at(5))]
        assert online(filled, "bob", "young") == [Reading(Status.EXPIRED, None, at(11))]
        assert online(filled, "zoe", "young") == [Reading(Status.MISSING)]
        edge = START + 5 * DAY
        assert online(filled, "ann", "young", now=edge)[0].status is Status.PRESENT
        assert online(filled, "ann", "young", now=edge + timedelta(microseconds=1))[0].status is Status.EXPIRED
        put(filled, "nil", "account_age", None, 1)
        assert online(filled, "nil", "young") == [Reading(Status.NULL, None, at(1))]

    def test_a_ttl_of_its_own(self, filled: World) -> None:
        """A computed value expires by the newest event time of what it was computed from, exactly that old included."""
        filled.store.define(replace(RATE, ttl=2 * DAY))
        assert online(filled, "ann", "rate", now=START + 2 * DAY)[0].status is Status.PRESENT
        late = START + 2 * DAY + timedelta(microseconds=1)
        assert online(filled, "ann", "rate", now=late) == [Reading(Status.EXPIRED, None, START)]
        times = ((("ann", START + 2 * DAY)), ("ann", late))
        table = filled.store.training_read(TrainingRequest("user", ("rate",), spine=times))
        assert table.columns["rate"] == [1.5, None]

    def test_training_sees_what_was_true_and_known(self, filled: World) -> None:
        """Each row has its own sum, order and duplicates kept."""
        put(filled, "ann", "engagement", 100.0, 4.5, known=1)
        rows = (("ann", 0), ("ann", 4), ("zoe", 0), ("ann", 5), ("ann", 6), ("ann", 0), ("bob", 11))
        table = filled.store.training_read(asked(*rows, features=("rate", "week", "engagement")))
        assert table.columns["rate"] == [145 / 30, 39 / 30, None, 35 / 30, None, 145 / 30, 0.5]
        assert table.columns["week"] == [8.0, 6.0, 0.0, 5.0, 4.0, 8.0, 0.0]
        assert table.columns["engagement"] == [0.0, 4.0, None, 5.0, 6.0, 0.0, 4.0]
        off = filled.store.training_read(asked(("ann", 4), respect=False))
        assert off.columns["rate"] == [139 / 30]

    def test_what_is_ahead_of_now_does_not_count_yet(self, filled: World) -> None:
        """A value of the next minute, or known in the next minute, is not there now, online as in training."""
        soon = START + timedelta(minutes=1)
        filled.store.write([Write("ann", "account_age", 1.0, soon), Write("bob", "account_age", 2.0, at(0), soon)])
        assert online(filled, "ann", "rate")[0].value == 1.5
        assert online(filled, "bob", "rate")[0].status is Status.NULL
        filled.clock.advance(soon)
        assert online(filled, "ann", "rate", now=soon)[0].value == 45.0
        assert online(filled, "bob", "rate", now=soon)[0].value == 2.0

    def test_another_process_sees_a_changed_computation_at_once(self, filled: World) -> None:
        """The next read is by the new definition."""
        other = filled.again()
        assert other.read(["ann"], ["rate"], now=START)["ann"]["rate"].value == 1.5
        assert filled.store.define(replace(RATE, computation="sum(engagement)")).version == 2
        assert other.read(["ann"], ["rate"], now=START)["ann"]["rate"].value == 45.0

    def test_through_another_entity(self, filled: World) -> None:
        """Rows of content take a computed feature of their author, and the key may be computed itself."""
        filled.store.define(Definition("author", "content", "string"))
        writer = "if(author == '?', null, author)"
        filled.store.define(Definition("writer", "content", "string", source="computed", computation=writer))
        put(filled, "c1", "author", "ann", 3)
        put(filled, "c2", "author", "?", 3)
        for key in ("author", "writer"):
            spine = (("c1", at(0)), ("c1", at(4)), ("c2", at(0)))
            table = filled.store.training_read(TrainingRequest("content", ("rate",), {"user": key}, spine))
            assert table.columns["rate"] == [1.5, None, None]

    def test_an_unknown_name_among_them_is_not_found(self, filled: World) -> None:
        """As in any read."""
        with pytest.raises(NotFound, match="nope"):
            online(filled, "ann", "rate", "nope")


class TestDefinitions:
    """What computes is checked against what stands."""

    def test_a_wrong_one_is_refused_and_not_stored(self, filled: World) -> None:
        """The error has the place, and nothing is defined."""
        with pytest.raises(Rejected, match="Did you mean engagement"):
            filled.store.define(replace(RATE, name="other", computation="sum(engagment)"))
        assert "other" not in {item.name for item in filled.store.definitions()}

    def test_the_same_again_changes_nothing(self, filled: World) -> None:
        """Defining is idempotent, and a changed computation is a new version."""
        assert filled.store.define(RATE).version == 1
        assert filled.store.define(replace(RATE, computation="sum(engagement) / 2")).version == 2

    def test_it_takes_no_values(self, filled: World) -> None:
        """A write to a computed feature is refused."""
        with pytest.raises(Rejected, match="'rate' is computed and takes no values") as caught:
            put(filled, "ann", "rate", 1.0, 1)
        assert caught.value.field == "featureName"

    @pytest.mark.parametrize(
        "change",
        [
            Definition("account_age", "user", "string"),
            Definition("account_age", "content", "number"),
            replace(ENGAGEMENT, source="computed", computation="account_age"),
        ],
    )
    def test_a_change_that_breaks_it_is_a_conflict(self, world: World, change: Definition) -> None:
        """Also while nothing is stored: the error names what is computed from the changed one."""
        for definition in (ENGAGEMENT, AGE, RATE):
            world.store.define(definition)
        with pytest.raises(Conflict, match="'rate'"):
            world.store.define(change)
        assert {item.version for item in world.store.definitions()} == {1}

    def test_stored_values_keep_a_feature_from_becoming_computed(self, filled: World) -> None:
        """What has values stays ingested."""
        filled.store.define(Definition("karma", "user", "number"))
        computed = Definition("karma", "user", "number", source="computed", computation="account_age")
        put(filled, "ann", "karma", 1.0, 1)
        with pytest.raises(Conflict, match="has values"):
            filled.store.define(computed)

    def test_what_it_reads_cannot_be_deleted_before_it(self, filled: World) -> None:
        """The conflict names it; afterwards the input can go."""
        with pytest.raises(Conflict, match=r"rate would have nothing to compute from|rate, week"):
            filled.store.delete("engagement")
        filled.store.delete("rate")
        filled.store.delete("account_age")
        assert "account_age" not in {item.name for item in filled.store.definitions()}


class TestSnapshots:
    """A training read can be had again, whatever happened."""

    def test_late_data_and_new_versions_do_not_change_it(self, filled: World) -> None:
        """It pins the versions of what it read and of all that this is computed from."""
        filled.store.define(
            Definition("twice", "user", "number", source="computed", computation="rate * 2 + 0 * coalesce(week, 0)")
        )
        request = asked(("ann", 0), ("ann", 5), ("bob", 11), ("zoe", 1), features=("twice",))
        table = filled.store.training_read(request)
        assert table.definitions == {"twice": 1, "rate": 1, "week": 1, "engagement": 1, "account_age": 1}
        put(filled, "ann", "engagement", 1000.0, 9.5)
        put(filled, "zoe", "engagement", 1.0, 9.5)
        filled.store.define(replace(AGE, ttl=DAY))
        filled.store.define(replace(RATE, computation="sum(engagement)"))
        assert filled.store.reproduce(table.snapshot_id) == table
        changed = filled.store.training_read(request)
        assert changed.columns["twice"] == [2090.0, 2070.0, 8.0, 2.0]
        assert changed.definitions["rate"] == 2
        assert filled.again().reproduce(table.snapshot_id) == table

    def test_the_same_question_has_the_same_name(self, filled: World) -> None:
        """The name says what was asked, by which versions, and what came out."""
        first = filled.store.training_read(asked(("ann", 0)))
        assert filled.store.training_read(asked(("ann", 0))).snapshot_id == first.snapshot_id
        filled.store.define(replace(AGE, description="in days"))
        assert filled.store.training_read(asked(("ann", 0))).snapshot_id != first.snapshot_id


class TestRefusals:
    """No leak and no silent loss."""

    def test_what_is_computed_from_the_label_is_no_feature(self, filled: World) -> None:
        """At the row's own time it would hold the label itself."""
        filled.store.define(Definition("churned", "user", "number"))
        filled.store.define(Definition("past", "user", "number", source="computed", computation="mean(churned) + rate"))
        filled.store.define(Definition("deep", "user", "number", source="computed", computation="past * 2"))
        put(filled, "ann", "churned", 1.0, 1)
        window = LabelWindow("churned", at(9), at(0))
        for name in ("past", "deep"):
            with pytest.raises(Rejected, match=f"'{name}' is computed from the label 'churned'") as caught:
                filled.store.training_read(TrainingRequest("user", (name,), label=window))
            assert caught.value.field == "features"
        assert filled.store.training_read(TrainingRequest("user", ("rate",), label=window)).columns["churned"] == [1.0]

    def test_a_computed_label_is_refused(self, filled: World) -> None:
        """Rows are made by stored observations."""
        with pytest.raises(Rejected, match="'rate' is computed; rows are made by observations"):
            filled.store.training_read(TrainingRequest("user", (), label=LabelWindow("rate", at(9), at(0))))

    def test_an_input_that_known_at_removes_wholly_is_refused(self, world: World) -> None:
        """Backfilled history would make a column of nothing, or worse of half of the inputs."""
        for definition in (ENGAGEMENT, AGE, RATE, WEEK):
            world.store.define(definition)
        put(world, "ann", "engagement", 1.0, 9, known=0)
        put(world, "ann", "account_age", 3.0, 9)
        for name in ("rate", "week"):
            with pytest.raises(Rejected, match=rf"{name} \(0 of 2 kept\)") as caught:
                world.store.training_read(asked(("ann", 5), ("ann", 4), features=(name,)))
            assert caught.value.field == "respectKnownAt"
        table = world.store.training_read(asked(("ann", 5), respect=False))
        assert table.columns["rate"] == [1 / 3]


#: At its one time each input of this entity is known, so that no read is refused for what known-at takes.
ANCHOR = [Entry(9, name, 0, 0, value) for name, value in {"n": 1.0, "m": 1.0, "s": "x", "b": True, "v": [1.0]}.items()]


def _write(entry: Entry) -> Write:
    return Write(f"u{entry.entity}", entry.feature, entry.value, from_us(entry.event), from_us(entry.known))


#: A statement of SQL costs a thousand times what it takes to look into memory.
EXAMPLES = {"local": 25, "google": 8}


@pytest.mark.parametrize("backend", sorted(OPENERS))
def test_online_is_batch_is_training_is_the_naive_interpreter(backend: str) -> None:
    """On random definitions and histories with late data, corrections and nulls, all give the same bits."""

    @settings(max_examples=EXAMPLES[backend], deadline=None)
    @given(data=st.data())
    def all_agree(data: st.DataObject) -> None:
        agree(backend, data)

    all_agree()


def agree(backend: str, data: st.DataObject) -> None:
    """Draw a definition and a history, and read them every way there is."""
    kinds = {"number": generated.number, "string": generated.text, "boolean": generated.boolean}
    kind = data.draw(st.sampled_from(sorted(kinds)))
    wanted = data.draw(generated.definition(kind, kinds[kind]), label="definition")
    entries = data.draw(generated.histories, label="entries")
    times = data.draw(st.lists(st.integers(0, generated.SPAN_S + 8), min_size=1, max_size=3, unique=True))
    definitions = {**generated.INGESTED, "below": generated.BELOW, "wanted": wanted}
    with TemporaryDirectory() as directory:
        store = OPENERS[backend](Path(directory), VirtualClock(from_us(10**9)))
        try:
            for definition in definitions.values():
                store.define(definition)
            middle = len(entries) // 2
            for call in (entries[:middle], entries[middle:], ANCHOR):
                store.write([_write(entry) for entry in call])
            ids = ["u0", "u1", "u2"]
            spine = [(one, from_us(time * generated.SECOND)) for time in sorted(times) for one in ids]
            request = TrainingRequest("user", ("wanted",), spine=(*spine, ("u9", from_us(0))))
            trained = iter(store.training_read(request).columns["wanted"])
            for time in sorted(times):
                moment = from_us(time * generated.SECOND)
                batch = store.read(ids, ["wanted", "n"], now=moment)
                for entity in range(3):
                    reading = batch[f"u{entity}"]["wanted"]
                    answer = Reference(definitions, entries, entity, to_us(moment), respect=True).answer("wanted")
                    assert repr(reading.value) == repr(answer[0]) == repr(next(trained))
                    assert store.read([f"u{entity}"], ["wanted"], now=moment)[f"u{entity}"]["wanted"] == reading
                    if reading.status in {Status.PRESENT, Status.NULL}:
                        assert (reading.event_time and to_us(reading.event_time)) == answer[1]
        finally:
            store.close()


def test_what_is_computed_is_not_instant(filled: World) -> None:
    """A window may span many values, so that a read with one is nothing for an event loop."""
    for names in (["engagement"], ["engagement", "rate"]):
        filled.store.read(["ann"], names, now=START)
    assert not filled.store.instant(["engagement", "rate"])
    assert not filled.store.instant(["rate"])

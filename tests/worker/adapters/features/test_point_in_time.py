"""The table of point-in-time cases, on every backend and every way in which its values can lie."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.worker.adapters.features.conftest import OPENERS, START
from tests.worker.adapters.features.point_in_time_cases import CASES, FEATURES, Case
from worker.clock import VirtualClock
from worker.errors import Rejected
from worker.features.maintenance import Maintained
from worker.features.port import Definition, FeatureStore, TrainingRequest, Write

Layout = Callable[[FeatureStore, Sequence[Write]], None]


def _care(store: FeatureStore) -> Maintained:
    care = getattr(store, "care", None)
    assert isinstance(care, Maintained)
    return care


def as_written(store: FeatureStore, writes: Sequence[Write]) -> None:
    """All in one call, and nothing else."""
    store.write(writes)


def in_segments(store: FeatureStore, writes: Sequence[Write]) -> None:
    """All in one segment of each feature."""
    store.write(writes)
    _care(store).compact()


def in_both(store: FeatureStore, writes: Sequence[Write]) -> None:
    """Every other value in a segment, the rest in the log."""
    care = _care(store)
    middle = len(writes) // 2
    store.write(writes[:middle])
    care.compact()
    store.write(writes[middle:])


def merged(store: FeatureStore, writes: Sequence[Write]) -> None:
    """One by one in pieces, each merged with what was there."""
    care = _care(store)
    for first in range(0, len(writes), 40):
        store.write(writes[first : first + 40])
        care.compact()


def in_calls(store: FeatureStore, writes: Sequence[Write]) -> None:
    """A few at a time."""
    for first in range(0, len(writes), 20):
        store.write(writes[first : first + 20])


#: Those that every backend has; the others are for one that keeps files of its own.
COMMON: dict[str, Layout] = {"as written": as_written, "in calls": in_calls}
LAYOUTS: dict[str, Layout] = {
    **COMMON,
    "in segments": in_segments,
    "in both": in_both,
    "merged": merged,
}


def moment(text: str) -> datetime:
    """Return the time of a text."""
    return datetime.fromisoformat(text)


def writes_of(number: int, case: Case) -> list[Write]:
    """Return a case's values, of entities of its own."""
    return [
        Write(
            f"{number}:{one.entity}",
            one.feature,
            one.value,
            moment(one.event),
            None if one.known is None else moment(one.event if one.known == "=" else one.known),
        )
        for one in (v._replace(value=_own(number, v.feature, v.value)) for v in case.values)
    ]


def _own(number: int, feature: str, value: object) -> object:
    return f"{number}:{value}" if feature == "owner" else value


WAYS = [(name, layout) for name in sorted(OPENERS) for layout in (LAYOUTS if name == "local" else COMMON)]


@pytest.fixture(scope="module", params=WAYS, ids=str)
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FeatureStore]:
    """A store with the values of all cases, which lie in one of the ways."""
    name, layout = request.param
    directory: Path = tmp_path_factory.mktemp("store")
    store = OPENERS[name](directory, VirtualClock(START))
    for feature, (entity, kind, days) in FEATURES.items():
        store.define(Definition(feature, entity, kind, ttl=None if days is None else timedelta(days=days)))
    writes = [write for number, case in enumerate(CASES) for write in writes_of(number, case)]
    LAYOUTS[layout](store, writes)
    yield store
    store.close()


@pytest.mark.parametrize(("number", "case"), list(enumerate(CASES)), ids=[case.told for case in CASES])
def test_a_case_has_the_answer_that_stands_beside_it(filled: FeatureStore, number: int, case: Case) -> None:
    """Every row is answered in its place with what was true and known, and again from the snapshot."""
    rows = tuple((f"{number}:{entity}", moment(time)) for entity, time in case.rows)
    request = TrainingRequest("thing", case.features, dict(case.joins), rows, respect_known_at=case.respect_known_at)
    if case.expected is None:
        with pytest.raises(Rejected, match="known-at removes"):
            filled.training_read(request)
        return
    table = filled.training_read(request)
    answers = list(zip(*(table.columns[name] for name in case.features), strict=True))
    assert answers == [one if isinstance(one, tuple) else (one,) for one in case.expected]
    assert list(table.entity_ids) == [entity for entity, _ in rows]
    assert filled.reproduce(table.snapshot_id) == table


def test_there_are_enough_cases_and_each_is_told_apart() -> None:
    """The table has some fifty cases with names of their own."""
    assert len(CASES) >= 50
    assert len({case.told for case in CASES}) == len(CASES)

"""What features were like and what is wrong with them, on every database."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from worker.adapters.ledger.sql import SqlLedger
from worker.adapters.ledger.tables import feature_profiles
from worker.monitor.finding import FeatureFindings, Finding
from worker.monitor.profile import Profile

DAY = timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)


def _profile(day: int, known: int = 5, period: str | None = None) -> Profile:
    start = START + day * DAY
    name = period or f"{start:%Y-%m-%d}"
    return Profile("age", "number", name, start, start + DAY, known, known, known, known, start, b"digest", b"sketch")


def test_a_profile_is_kept_once_per_period(ledger: SqlLedger) -> None:
    """The same period again replaces it; windows come as history, oldest first, training snapshots do not."""
    with ledger.begin() as transaction:
        for kept in (_profile(0), _profile(1), _profile(0, 7), _profile(2), _profile(3, period="snapshot:abc")):
            transaction.features.keep(kept)
    with ledger.begin(write=False) as transaction:
        assert transaction.features.profile("age", "2024-01-01") == _profile(0, 7)
        assert transaction.features.profile("age", "snapshot:abc") == _profile(3, period="snapshot:abc")
        assert transaction.features.profile("size", "2024-01-01") is None
        assert transaction.features.history("age", limit=2) == [_profile(1), _profile(2)]


def test_old_profiles_are_forgotten(ledger: SqlLedger) -> None:
    """Those of the named features that ended before the time go, the others stay."""
    with ledger.begin() as transaction:
        for day in range(4):
            transaction.features.keep(_profile(day))
        assert transaction.features.forget(["age"], START + 2 * DAY) == 1
        assert transaction.features.forget(["size"], START + 9 * DAY) == 0
        assert [one.start for one in transaction.features.history("age", limit=9)] == [
            START + n * DAY for n in (1, 2, 3)
        ]


def test_a_damaged_profile_is_as_none(ledger: SqlLedger) -> None:
    """What cannot be read is left out: it is made again."""
    with ledger.begin() as transaction:
        transaction.features.keep(_profile(0))
        transaction.features.keep(_profile(1))
    with ledger.database.begin() as connection:
        of_first = feature_profiles.c.period == "2024-01-01"
        connection.execute(sa.update(feature_profiles).where(of_first).values(profile=b"\xc1\x00"))
    with ledger.begin(write=False) as transaction:
        assert transaction.features.profile("age", "2024-01-01") is None
        assert transaction.features.history("age", limit=9) == [_profile(1)]


def _findings(day: int, *found: Finding) -> FeatureFindings:
    end = START + day * DAY
    return FeatureFindings("age", end - DAY, end, found, end if found else None, ("age_in_days",))


def test_findings_stay_open_until_a_window_is_clean(ledger: SqlLedger) -> None:
    """The newest window counts, whatever comes late; since when something is wrong is kept while it lasts."""
    stale, moved = Finding("stale", "it is old"), Finding("drifted", "its values have moved", "bee", "3")
    with ledger.begin() as transaction:
        transaction.features.found(_findings(1, stale))
        transaction.features.found(_findings(2, stale, moved))
        transaction.features.found(_findings(1))
        (found,) = transaction.features.open_findings()
        assert (found.found, found.since, found.end) == ((stale, moved), START + DAY, START + 2 * DAY)
        assert found.of("other", ["age_in_days"]) == (stale,)
        assert found.of("bee", ["age"]) == (stale, moved)
        assert found.of("bee", ["size"]) == ()
        transaction.features.found(_findings(3))
        assert transaction.features.open_findings() == []
        transaction.features.found(_findings(4, stale))
        assert transaction.features.open_findings()[0].since == START + 4 * DAY

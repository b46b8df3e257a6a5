"""`feature_profiles` and `feature_findings`: what features were like in each period, and what is wrong with them."""

import json
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
import structlog

from worker.adapters.ledger.database import Database, dumps
from worker.adapters.ledger.tables import feature_findings, feature_profiles
from worker.clock import from_us, to_us
from worker.errors import Rejected
from worker.monitor.finding import FeatureFindings, Finding
from worker.monitor.profile import SNAPSHOT, Profile, decoded, encoded

log = structlog.get_logger()


class SqlFeatures:
    """Profiles and findings inside one transaction."""

    def __init__(self, database: Database, connection: sa.Connection) -> None:
        """Use the transaction of `connection`."""
        self._database = database
        self._connection = connection

    def keep(self, profile: Profile) -> None:
        """Keep a profile; one of the same feature and period is replaced."""
        row = {
            "feature": profile.feature,
            "period": profile.period,
            "window": not profile.period.startswith(SNAPSHOT),
            "start": to_us(profile.start),
            "end": to_us(profile.end),
            "profile": encoded(profile),
        }
        self._connection.execute(self._database.upsert(feature_profiles, row, ["feature", "period"]))

    def profile(self, feature: str, period: str) -> Profile | None:
        """Return one; None if there is none, or it cannot be read any more."""
        table = feature_profiles
        query = sa.select(table.c.profile).where(table.c.feature == feature, table.c.period == period)
        kept = self._connection.execute(query).scalar()
        return None if kept is None else _readable(feature, period, kept)

    def history(self, feature: str, *, limit: int) -> Sequence[Profile]:
        """Return the newest profiles of a feature's windows, oldest first."""
        table = feature_profiles
        query = sa.select(table.c.period, table.c.profile).where(table.c.feature == feature, table.c.window)
        rows = self._connection.execute(query.order_by(table.c.end.desc(), table.c.start).limit(limit)).all()
        found = (_readable(feature, row.period, row.profile) for row in reversed(rows))
        return [profile for profile in found if profile is not None]

    def forget(self, features: Sequence[str], before: datetime) -> int:
        """Forget the profiles of periods that ended before a time; return how many there were."""
        table = feature_profiles
        old = sa.and_(table.c.feature.in_(features), table.c.end < to_us(before))
        return self._connection.execute(table.delete().where(old)).rowcount

    def found(self, findings: FeatureFindings) -> None:
        """Note what a window said of a feature; an older window than the newest changes nothing."""
        row = {
            "feature": findings.feature,
            "start": to_us(findings.start),
            "end": to_us(findings.end),
            "open": bool(findings.found),
            "since": None if findings.since is None else to_us(findings.since),
            "found": dumps([[one.kind, one.words, one.bee, one.version] for one in findings.found]),
            "feeds": dumps(list(findings.feeds)),
        }
        insert = self._database.insert(feature_findings).values(**row)
        changes = {name: insert.excluded[name] for name in row if name not in {"feature", "since"}}
        lasts = sa.and_(feature_findings.c.open, insert.excluded.open)
        changes["since"] = sa.case((lasts, feature_findings.c.since), else_=insert.excluded.since)
        newer = feature_findings.c.end <= insert.excluded.end
        self._connection.execute(insert.on_conflict_do_update(index_elements=["feature"], set_=changes, where=newer))

    def open_findings(self) -> Sequence[FeatureFindings]:
        """Return the features whose newest window had a finding, by name."""
        query = sa.select(feature_findings).where(feature_findings.c.open).order_by(feature_findings.c.feature)
        return [_findings_of(row) for row in self._connection.execute(query)]


def _readable(feature: str, period: str, kept: bytes) -> Profile | None:
    try:
        return decoded(bytes(kept))
    except Rejected as error:
        # What it was made of can be read again: a damaged one must not stop the monitor.
        log.warning("a profile cannot be read", feature=feature, period=period, reason=str(error))
        return None


def _findings_of(row: sa.Row[tuple[object, ...]]) -> FeatureFindings:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row by column
    return FeatureFindings(
        feature=values["feature"],
        start=from_us(values["start"]),
        end=from_us(values["end"]),
        found=tuple(Finding(*parts) for parts in json.loads(values["found"])),
        since=None if values["since"] is None else from_us(values["since"]),
        feeds=tuple(json.loads(values["feeds"])),
    )

"""`model_versions` and `deployments`: what was registered, and what replaced what in production."""

import json
from collections.abc import Sequence
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from worker.adapters.ledger.database import Database, dumps
from worker.adapters.ledger.tables import deployments, model_versions
from worker.clock import from_us, to_us
from worker.errors import Conflict
from worker.models.port import Artifact, Deployment, ModelVersion
from worker.models.traffic import Traffic

#: Asked for every event: made once, since making a statement costs more than executing it.
_GET = sa.select(model_versions).where(
    model_versions.c.bee == sa.bindparam("of_bee"), model_versions.c.version == sa.bindparam("of_version")
)
_CHAMPION = (
    sa.select(deployments)
    .where(deployments.c.bee == sa.bindparam("of_bee"))
    .order_by(deployments.c.epoch.desc())
    .limit(1)
)
_LATER = deployments.alias("later")
_NEWEST = ~sa.exists().where(_LATER.c.bee == deployments.c.bee, _LATER.c.epoch > deployments.c.epoch)
_KEPT = (
    sa.select(model_versions.c.bee, model_versions.c.version)
    .select_from(model_versions.join(deployments, sa.and_(deployments.c.bee == model_versions.c.bee, _NEWEST)))
    .where(model_versions.c.state == "deployed", model_versions.c.version != deployments.c.version)
    .order_by(model_versions.c.bee, model_versions.c.position)
)


class SqlModels:
    """Versions and deployments inside one transaction."""

    def __init__(self, database: Database, connection: sa.Connection) -> None:
        """Use the transaction of `connection`."""
        self._database = database
        self._connection = connection

    def get(self, bee: str, version: str) -> ModelVersion | None:
        """Return one version."""
        row = self._connection.execute(_GET, {"of_bee": bee, "of_version": version}).first()
        return version_of(row) if row else None

    def versions(self, bee: str | None = None) -> Sequence[ModelVersion]:
        """Return versions, oldest first."""
        query = sa.select(model_versions).order_by(
            model_versions.c.bee, model_versions.c.position, model_versions.c.created_at
        )
        if bee is not None:
            query = query.where(model_versions.c.bee == bee)
        return [version_of(row) for row in self._connection.execute(query)]

    def for_run(self, run_id: str) -> ModelVersion | None:
        """Return the version that a run registered."""
        row = self._connection.execute(sa.select(model_versions).where(model_versions.c.run_id == run_id)).first()
        return version_of(row) if row else None

    def next_version(self, bee: str) -> str:
        """Return the next free number as text."""
        taken = self._connection.execute(sa.select(model_versions.c.version).where(model_versions.c.bee == bee))
        numbers = [int(version) for version in taken.scalars() if version.isdecimal()]
        return str(max(numbers, default=0) + 1)

    def add(self, version: ModelVersion) -> None:
        """Store a new version. Raises Conflict if the bee or the run has it already."""
        count = sa.select(sa.func.count()).select_from(model_versions).where(model_versions.c.bee == version.bee)
        row = {
            "bee": version.bee,
            "version": version.version,
            "position": int(self._connection.execute(count).scalar_one()),
            "state": version.state,
            "uri": version.artifact.uri,
            "sha256": version.artifact.sha256,
            "run_id": version.run_id,
            "created_at": to_us(version.created_at),
            "gate_passed": version.gate_passed,
            "metrics": dumps(dict(version.metrics)),
            "lineage": dumps(dict(version.lineage)),
            "forced": version.forced,
        }
        try:
            with self._database.savepoint(self._connection):
                self._connection.execute(model_versions.insert().values(**row))
        except IntegrityError as error:
            raise Conflict(f"version {version.version} of {version.bee} (run {version.run_id}) exists") from error

    def set_state(self, bee: str, version: str, state: str, *, forced: str | None = None) -> None:
        """Change a version's state."""
        values = {"state": state} | ({} if forced is None else {"forced": forced})
        self._connection.execute(model_versions.update().where(_is(bee, version)).values(**values))

    def kept(self) -> Sequence[tuple[str, str]]:
        """Return (bee, version) of what is deployed beside a champion, ready to be gone back to."""
        return [(row.bee, row.version) for row in self._connection.execute(_KEPT)]

    def champion(self, bee: str) -> Deployment | None:
        """Return the newest deployment: what is in production."""
        row = self._connection.execute(_CHAMPION, {"of_bee": bee}).first()
        return deployment_of(row) if row else None

    def deployments(self, bee: str | None = None) -> Sequence[Deployment]:
        """Return the changes of the champion, oldest first."""
        query = sa.select(deployments).order_by(deployments.c.bee, deployments.c.epoch)
        if bee is not None:
            query = query.where(deployments.c.bee == bee)
        return [deployment_of(row) for row in self._connection.execute(query)]

    def deploy(self, deployment: Deployment) -> None:
        """Record a change of the champion; its epoch must be the last one plus 1 (Conflict otherwise)."""
        current = self.champion(deployment.bee)
        if deployment.epoch != (current.epoch if current else 0) + 1:
            raise Conflict(f"the champion of {deployment.bee} has changed in the meantime")
        row = {
            "bee": deployment.bee,
            "epoch": deployment.epoch,
            "version": deployment.version,
            "previous": deployment.previous,
            "at": to_us(deployment.at),
            "reason": deployment.reason,
            "run_id": deployment.run_id,
            "divided": _divided(deployment.divided),
            "by": deployment.by,
            "numbers": dumps(dict(deployment.numbers)) if deployment.numbers else None,
        }
        try:
            with self._database.savepoint(self._connection):
                self._connection.execute(deployments.insert().values(**row))
        except IntegrityError as error:
            raise Conflict(f"the champion of {deployment.bee} has changed in the meantime") from error


def _is(bee: str, version: str) -> sa.ColumnElement[bool]:
    return sa.and_(model_versions.c.bee == bee, model_versions.c.version == version)


def version_of(row: sa.Row[tuple[object, ...]]) -> ModelVersion:
    """Return the version of a row."""
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row by column
    return ModelVersion(
        bee=values["bee"],
        version=values["version"],
        state=values["state"],
        artifact=Artifact(values["uri"], values["sha256"]),
        run_id=values["run_id"],
        created_at=from_us(values["created_at"]),
        gate_passed=bool(values["gate_passed"]),
        metrics=json.loads(values["metrics"]),
        lineage=json.loads(values["lineage"]),
        forced=values["forced"],
    )


def deployment_of(row: sa.Row[tuple[object, ...]]) -> Deployment:
    """Return the deployment of a row."""
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row by column
    return Deployment(
        bee=values["bee"],
        epoch=values["epoch"],
        version=values["version"],
        previous=values["previous"],
        at=from_us(values["at"]),
        reason=values["reason"],
        run_id=values["run_id"],
        divided=_traffic(values["divided"]),
        by=values["by"],
        numbers=json.loads(values["numbers"] or "{}"),
    )


def _divided(traffic: Traffic | None) -> str | None:
    if traffic is None:
        return None
    return dumps({"split": traffic.split, "salt": traffic.salt, "shadow": traffic.shadow})


@lru_cache(1024)
def _traffic(text: str | None) -> Traffic | None:
    # Each prediction asks for the same one.
    if text is None:
        return None
    read = json.loads(text)
    split = tuple((str(version), int(percent)) for version, percent in read["split"])
    return Traffic(split, read["salt"], tuple(read["shadow"]))

"""The definitions in the embedded store, versioned, and a copy in memory that notices other processes' changes."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import msgspec

from worker.adapters.features.embedded.plan import Plan
from worker.errors import Conflict, NotFound
from worker.features.definition import check_definition, normal, unknown_feature
from worker.features.port import Definition

_MAX_PLANS = 1000


@dataclass(frozen=True)
class Catalogue:
    """The newest definition of each feature, with the code that stands for its name in the other tables.

    Attributes:
        epoch: grows with each change of any definition.
        plans: how to read the combinations of names that were asked for so far.
    """

    epoch: int
    definitions: Mapping[str, Definition]
    codes: Mapping[str, int]
    plans: dict[tuple[str, ...], Plan] = field(default_factory=dict, compare=False, repr=False)

    def get(self, name: str) -> Definition:
        """Return a definition. Raises NotFound, with what there is instead."""
        found = self.definitions.get(name)
        if found is None:
            raise unknown_feature(name, list(self.definitions))
        return found

    def plan(self, names: tuple[str, ...]) -> Plan:
        """Return how to read these features online. Raises NotFound."""
        if len(self.plans) >= _MAX_PLANS:
            self.plans.clear()
        plan = self.plans[names] = Plan.of([(self.get(name), self.codes[name]) for name in dict.fromkeys(names)])
        return plan


NOTHING = Catalogue(-1, MappingProxyType({}), MappingProxyType({}))


def current(connection: sqlite3.Connection, cached: Catalogue) -> Catalogue:
    """Return the catalogue as this transaction sees it: the cached one unless a definition changed since."""
    (epoch,) = connection.execute("SELECT epoch FROM state").fetchone()
    if epoch == cached.epoch:
        return cached
    rows = connection.execute(
        "SELECT f.code, d.name, max(d.version), d.body FROM definition d JOIN feature f ON f.name = d.name"
        " GROUP BY d.name ORDER BY d.name"
    ).fetchall()
    definitions = {name: _decode(name, version, body) for _, name, version, body in rows}
    return Catalogue(epoch, definitions, {name: code for code, name, _, _ in rows})


def at_version(connection: sqlite3.Connection, name: str, version: int) -> Definition:
    """Return one version of a definition. Raises NotFound."""
    query = "SELECT body FROM definition WHERE name = ? AND version = ?"
    row = connection.execute(query, (name, version)).fetchone()
    if row is None:
        raise NotFound(f"the feature {name!r} has no version {version}")
    return _decode(name, version, row[0])


def versions(connection: sqlite3.Connection, name: str) -> Sequence[Definition]:
    """Return every version of a definition, oldest first; nothing if there is none."""
    rows = connection.execute("SELECT version, body FROM definition WHERE name = ? ORDER BY version", (name,))
    return [_decode(name, version, body) for version, body in rows]


def define(connection: sqlite3.Connection, definition: Definition) -> Definition:
    """Store a definition as the next version unless it is the newest already; return it with its version.

    To deprecate one, or to take that back, marks its newest version and makes no new one: what its values mean is the
    same.

    Raises:
        Rejected: a definition that cannot be kept.
        Conflict: type, entity or source change while values exist, or a computed feature needs what stands.
    """
    check_definition(definition)
    catalogue = current(connection, NOTHING)
    _check_computations(definition, catalogue.definitions)
    old = catalogue.definitions.get(definition.name)
    if old is not None and same(old, definition):
        return old
    if old is not None and same(replace(old, deprecated=definition.deprecated), definition):
        return _mark(connection, replace(old, deprecated=definition.deprecated))
    new = replace(normal(definition), version=_last_version(connection, definition.name) + 1)
    if old is None:
        codes = "SELECT max(code) AS code FROM feature UNION ALL SELECT max(code) FROM retired"
        insert = f"INSERT INTO feature (code, name) VALUES ((SELECT ifnull(max(code), 0) + 1 FROM ({codes})), ?)"  # noqa: S608 - no value
        connection.execute(insert, (new.name,))
    elif (old.type, old.entity, old.source) != (new.type, new.entity, new.source):
        _refuse_with_values(connection, catalogue.codes[old.name], old, new)
    connection.execute("INSERT INTO definition VALUES (?, ?, ?)", (new.name, new.version, _encode(new)))
    connection.execute("UPDATE state SET epoch = epoch + 1")
    return new


def _check_computations(definition: Definition, standing: Mapping[str, Definition]) -> None:
    """Check what is to be computed, and what is computed from it, against what stands. Raises Rejected or Conflict."""
    if definition.source == "computed" or any(item.source == "computed" for item in standing.values()):
        from worker.features.computed.check import check

        check(definition, standing)


def same(standing: Definition, definition: Definition) -> bool:
    """Tell whether a definition says what already stands, whatever version its caller thinks it has."""
    return replace(normal(definition), version=standing.version) == standing


def _mark(connection: sqlite3.Connection, marked: Definition) -> Definition:
    body = (_encode(marked), marked.name, marked.version)
    connection.execute("UPDATE definition SET body = ? WHERE name = ? AND version = ?", body)
    connection.execute("UPDATE state SET epoch = epoch + 1")
    return marked


def _last_version(connection: sqlite3.Connection, name: str) -> int:
    """Return the newest version that a name ever had, deleted ones among them; 0 for none."""
    query = (
        "SELECT max((SELECT ifnull(max(version), 0) FROM definition WHERE name = :name),"
        " (SELECT ifnull(max(version), 0) FROM retired WHERE name = :name))"
    )
    (version,) = connection.execute(query, {"name": name}).fetchone()
    return int(version)


def _refuse_with_values(connection: sqlite3.Connection, code: int, old: Definition, new: Definition) -> None:
    if connection.execute("SELECT 1 FROM feature WHERE code = ? AND kept > 0", (code,)).fetchone():
        raise Conflict(
            f"the feature {old.name!r} has values as a {old.type} of {old.entity!r}; it cannot become"
            f" {'computed' if new.source != old.source else f'a {new.type} of {new.entity!r}'}."
            " Define a feature of another name"
        )


def _encode(definition: Definition) -> bytes:
    fields: dict[str, Any] = {key: value for key, value in vars(definition).items() if key not in {"name", "version"}}
    return msgspec.json.encode(fields)


def _decode(name: str, version: int, body: bytes) -> Definition:
    fields = msgspec.json.decode(body)
    return msgspec.convert(fields | {"name": name, "version": version}, Definition)

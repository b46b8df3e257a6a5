"""The definitions in the embedded store, versioned, and a copy in memory that notices other processes' changes."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import msgspec

from worker.errors import Conflict, NotFound
from worker.features.definition import check_definition, normal, unknown_feature
from worker.features.port import Definition


@dataclass(frozen=True)
class Catalogue:
    """The newest definition of each feature, with the code that stands for its name in the other tables."""

    epoch: int
    definitions: Mapping[str, Definition]
    codes: Mapping[str, int]

    def get(self, name: str) -> Definition:
        """Return a definition. Raises NotFound, with what there is instead."""
        found = self.definitions.get(name)
        if found is None:
            raise unknown_feature(name, list(self.definitions))
        return found


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


def define(connection: sqlite3.Connection, definition: Definition) -> Definition:
    """Store a definition as the next version unless it is the newest already; return it with its version.

    Raises:
        Rejected: a definition that cannot be kept.
        Conflict: the type or the entity changes while values exist.
    """
    check_definition(definition)
    catalogue = current(connection, NOTHING)
    old = catalogue.definitions.get(definition.name)
    if old is not None and same(old, definition):
        return old
    new = replace(normal(definition), version=old.version + 1 if old else 1)
    if old is None:
        connection.execute("INSERT INTO feature (name) VALUES (?)", (new.name,))
    elif (old.type, old.entity) != (new.type, new.entity):
        _refuse_with_values(connection, catalogue.codes[old.name], old, new)
    connection.execute("INSERT INTO definition VALUES (?, ?, ?)", (new.name, new.version, _encode(new)))
    connection.execute("UPDATE state SET epoch = epoch + 1")
    return new


def same(standing: Definition, definition: Definition) -> bool:
    """Tell whether a definition says what already stands, whatever version its caller thinks it has."""
    return replace(normal(definition), version=standing.version) == standing


def _refuse_with_values(connection: sqlite3.Connection, code: int, old: Definition, new: Definition) -> None:
    if connection.execute("SELECT 1 FROM entry WHERE feature = ? LIMIT 1", (code,)).fetchone():
        raise Conflict(
            f"the feature {old.name!r} has values as a {old.type} of {old.entity!r}; it cannot become a {new.type} of"
            f" {new.entity!r}. Define a feature of another name"
        )


def _encode(definition: Definition) -> bytes:
    fields: dict[str, Any] = {key: value for key, value in vars(definition).items() if key not in {"name", "version"}}
    return msgspec.json.encode(fields)


def _decode(name: str, version: int, body: bytes) -> Definition:
    fields = msgspec.json.decode(body)
    return msgspec.convert(fields | {"name": name, "version": version}, Definition)

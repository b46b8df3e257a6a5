"""The definitions of one moment, in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from worker.adapters.features.google.columns import Stored
from worker.errors import NotFound
from worker.features.definition import unknown_feature
from worker.features.port import Definition


@dataclass(frozen=True)
class Catalogue:
    """The definitions of one moment.

    Attributes:
        epoch: grows with each change of any definition.
        definitions: the newest version of each, by name.
        versions: every version of each, oldest first.
        columns: (name, version) -> the column that its values are in.
        kept: how many values each had when the definitions were read.
    """

    epoch: int
    definitions: Mapping[str, Definition] = field(default_factory=dict)
    versions: Mapping[str, Sequence[Definition]] = field(default_factory=dict)
    columns: Mapping[tuple[str, int], str] = field(default_factory=dict)
    kept: Mapping[str, int] = field(default_factory=dict)

    def get(self, name: str) -> Definition:
        """Return a definition. Raises NotFound, with what there is instead."""
        found = self.definitions.get(name)
        if found is None:
            raise unknown_feature(name, list(self.definitions))
        return found

    def at_version(self, name: str, version: int) -> Definition:
        """Return one version. Raises NotFound."""
        found = next((one for one in self.versions.get(name, ()) if one.version == version), None)
        if found is None:
            raise NotFound(f"the feature {name!r} has no version {version}")
        return found

    def stored(self, definition: Definition) -> Stored:
        """Return an ingested feature with its column."""
        return Stored(definition, self.columns[definition.name, definition.version])

    def of(self, entity: str) -> list[Stored]:
        """Return an entity's ingested features, by name."""
        ingested = (one for one in self.definitions.values() if one.source == "ingested")
        return [self.stored(one) for one in ingested if one.entity == entity]


def catalogue_of(epoch: int, rows: Sequence[tuple[Any, ...]]) -> Catalogue:
    """Return it from rows of (name, version, body, column, how many values)."""
    versions: dict[str, list[Definition]] = {}
    for name, version, body, _, _ in sorted(rows, key=lambda row: row[:2]):
        versions.setdefault(name, []).append(_decode(name, version, body))
    return Catalogue(
        epoch=epoch,
        definitions={name: held[-1] for name, held in versions.items()},
        versions=versions,
        columns={(name, version): column for name, version, _, column, _ in rows if column is not None},
        kept={name: kept or 0 for name, _, _, _, kept in rows},
    )


def encode(definition: Definition) -> str:
    """Return what is kept of a definition beside its name and version."""
    fields: dict[str, Any] = {key: value for key, value in vars(definition).items() if key not in {"name", "version"}}
    return msgspec.json.encode(fields).decode()


def _decode(name: str, version: int, body: str) -> Definition:
    fields = msgspec.json.decode(body)
    return msgspec.convert(fields | {"name": name, "version": version}, Definition)

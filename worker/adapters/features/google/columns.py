"""How a feature lies in the wide table of its entity: its columns' names and types, and its values in them; pure.

Beside its own column each feature has one for its state: `P` (present) or `N` (an explicit NULL), with event time and
known-at in microseconds; or nothing where the row does not tell of this feature. The state is served online as well: it
tells NULL from missing, of which event time the newest value is, and when it became known.
"""

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from worker.features.columns import Column
from worker.features.port import Definition, Value

PRESENT, NULL = "P", "N"
#: Columns that every entity's table has.
RESERVED = frozenset({"entity_id", "feature_timestamp", "known_at", "serving_timestamp", "write_sequence"})
#: A vector is the bytes of its 64-bit floats: an ARRAY column cannot be NULL, and would hide older values online.
TYPES = {"number": "FLOAT64", "string": "STRING", "boolean": "BOOL", "vector": "BYTES"}

_PLAIN_LENGTH = 48
_STATE = "__state"


@dataclass(frozen=True)
class Stored:
    """An ingested feature with the column that holds its values."""

    definition: Definition
    column: str

    @property
    def state(self) -> str:
        """The column of its states."""
        return state_of(self.column)

    @property
    def kind(self) -> str:
        """The column's BigQuery type."""
        return TYPES[self.definition.type]


def column_name(feature: str, version: int, *, first: bool) -> str:
    """Return the column of a feature: its name where that is free and fits a Feature Registry id, else a derived one.

    A name's second life (another type, or defined again after deletion) has a column of its own.
    """
    if first and len(feature) <= _PLAIN_LENGTH and "__" not in feature and feature not in RESERVED:
        return feature
    digest = hashlib.sha256(f"{feature}/{version}".encode()).hexdigest()[:10]
    return f"{feature[:36]}__{digest}"


def state_of(column: str) -> str:
    """Return the name of the column that tells a feature's state."""
    return f"{column}{_STATE}"


def encode(value: Value) -> Any:
    """Return a checked value as it lies in its column."""
    return array("d", value).tobytes() if isinstance(value, list) else value


def decode(feature_type: str, value: Any) -> Value:
    """Return a value from its column."""
    if value is None:
        return None
    return np.frombuffer(value, np.float64).tolist() if feature_type == "vector" else _plain(feature_type, value)


def _plain(feature_type: str, value: Any) -> Value:
    return float(value) if feature_type == "number" else value


def decoded(feature_type: str, values: Sequence[Any]) -> Column:
    """Return column values as a feature's column."""
    return Column.of(feature_type, [decode(feature_type, value) for value in values])


def state(value: Value) -> str:
    """Return the letter of a value's state."""
    return NULL if value is None else PRESENT


def times(told: str) -> tuple[int, int]:
    """Return the event time of a state, and when it became known."""
    event_us, _, known_us = told[1:].partition(" ")
    return int(event_us), int(known_us)

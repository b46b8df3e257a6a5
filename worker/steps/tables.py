"""Rows between steps: Parquet with entity id, event time, features and label, the same rows giving the same bytes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from worker.errors import Rejected

_ENTITY, _TIME, _FACTS = "entity_id", "event_time", b"colony"
_ARROW = {"number": pa.float64(), "boolean": pa.bool_(), "string": pa.string(), "vector": pa.list_(pa.float64())}


@dataclass(frozen=True)
class Rows:
    """A table in time order; `facts` says where it came from (snapshotId, definitions, types …)."""

    entity_ids: Sequence[str]
    times: Sequence[datetime]
    columns: Mapping[str, Sequence[Any]]
    facts: Mapping[str, Any]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.times)

    def take(self, indexes: Sequence[int]) -> "Rows":
        """Return the rows at `indexes`, in that order."""
        return replace(
            self,
            entity_ids=[self.entity_ids[index] for index in indexes],
            times=[self.times[index] for index in indexes],
            columns={name: [values[index] for index in indexes] for name, values in self.columns.items()},
        )

    def followed_by(self, other: "Rows") -> "Rows":
        """Return these rows and then the other's, which has the same columns."""
        return replace(
            self,
            entity_ids=[*self.entity_ids, *other.entity_ids],
            times=[*self.times, *other.times],
            columns={name: [*values, *other.columns[name]] for name, values in self.columns.items()},
        )


def write_rows(path: Path, rows: Rows) -> None:
    """Write Parquet.

    Raises:
        Rejected: a feature is named like one of our own columns, or a value is not of its declared type.
    """
    taken = {_ENTITY, _TIME} & set(rows.columns)
    if taken:
        raise Rejected("is a reserved column name", field=min(taken), mend="give the feature another name")
    arrays = {
        _ENTITY: pa.array(rows.entity_ids, pa.string()),
        _TIME: pa.array(rows.times, pa.timestamp("us", tz="UTC")),
        **{name: _array(name, values, rows.facts) for name, values in rows.columns.items()},
    }
    facts = json.dumps(rows.facts, ensure_ascii=False, allow_nan=False, sort_keys=True).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(arrays).replace_schema_metadata({_FACTS: facts}), path, compression="zstd")


def read_rows(path: Path) -> Rows:
    """Return the rows of a file that `write_rows` wrote."""
    table = pq.ParquetFile(path).read()
    times = _times(table.column(_TIME))
    columns = {name: table.column(name).to_pylist() for name in table.column_names if name != _TIME}
    facts = json.loads((table.schema.metadata or {}).get(_FACTS, b"{}"))
    return Rows(columns.pop(_ENTITY), times, columns, facts)


def _times(column: Any) -> list[datetime]:
    """Return moments in UTC; pyarrow's own way looks up the zone for each, which takes most of a file's reading."""
    naive = column.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False).astype("datetime64[us]").tolist()
    return [moment.replace(tzinfo=UTC) for moment in naive]


def _array(name: str, values: Sequence[Any], facts: Mapping[str, Any]) -> Any:
    declared = _ARROW.get(facts.get("types", {}).get(name, ""))
    try:
        return pa.array(values, declared)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise Rejected(f"has mixed or wrong values: {error}", field=name, mend="define its type") from error

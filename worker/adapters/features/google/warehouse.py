"""What the feature store asks of a SQL warehouse: typed parameters in, rows of plain values out."""

# ruff: noqa: S608 - names of tables and columns are checked ones, and values are parameters

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from worker.errors import Rejected

#: name -> BigQuery type (INT64, STRING, FLOAT64, BOOL, BYTES).
Fields = Mapping[str, str]

#: More than this is loaded as a table of its own: a request to BigQuery may have 10 MB, and each row costs some.
MOST_ROWS = 500
MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Param:
    """One named value of a statement; `kind` is its BigQuery type, `ARRAY<STRING>` and `ARRAY<INT64>` among them."""

    name: str
    kind: str
    value: Any


@dataclass(frozen=True)
class Rows:
    """A named table of values, as columns of one length; None is NULL."""

    name: str
    fields: Fields
    columns: Mapping[str, Sequence[Any]]

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(next(iter(self.columns.values())))

    @property
    def small(self) -> bool:
        """Whether it may travel with the statement."""
        return len(self) <= MOST_ROWS and sum(map(_size, self.columns.values())) <= MOST_BYTES


def _size(column: Sequence[Any]) -> int:
    return sum(len(value) if isinstance(value, str | bytes) else 8 for value in column)


Params = Sequence[Param | Rows]


class Absent(Rejected):
    """A statement names a table or a column that is not there: never made, or dropped in the meantime."""


class Warehouse(Protocol):
    """Runs statements; every method may be called from any thread, and raises TryLater or Rejected with the mend."""

    def name(self, table: str) -> str:
        """Return a table's full name as it stands in a statement."""
        ...

    def query(self, statement: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """Return the rows of one statement that changes nothing."""
        ...

    def transact(self, statements: Sequence[str], answer: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """Run statements that change rows, all or none, exactly once, and return the rows of `answer` after them.

        Raises:
            TryLater: also when other transactions came in between for too long.
        """
        ...

    def alter(self, statements: Sequence[str]) -> None:
        """Run statements that create or change tables, one after the other; each may be run twice."""
        ...

    def load(self, rows: Rows) -> str:
        """Make a table of these rows and return its full name; it goes by itself after a day at the latest."""
        ...

    def drop(self, loaded: str) -> None:
        """Remove what `load` has made."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


@contextmanager
def offered(warehouse: Warehouse, rows: Rows) -> Iterator[tuple[str, Params]]:
    """Give a FROM item named `offered` that holds these rows, and the parameters that it needs."""
    fields = ", ".join(f"item.{field} AS {field}" for field in rows.fields)
    if rows.small:
        yield f"(SELECT {fields} FROM UNNEST(@{rows.name}) AS item) AS offered", [rows]
        return
    table = warehouse.load(rows)
    try:
        yield f"(SELECT {fields} FROM {table} AS item) AS offered", []
    finally:
        warehouse.drop(table)

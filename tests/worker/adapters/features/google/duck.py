"""BigQuery's place taken by DuckDB: the same statements, transpiled, in memory shared by all stores of one path."""

import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import count
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from worker.adapters.features.google.warehouse import Absent, Param, Params, Rows

#: BigQuery type -> DuckDB's.
KINDS = {"INT64": "BIGINT", "STRING": "VARCHAR", "FLOAT64": "DOUBLE", "BOOL": "BOOLEAN", "BYTES": "BLOB"}


@lru_cache(4096)
def parsed(statement: str) -> exp.Expr:
    """Return a statement of BigQuery's dialect as a tree; raises sqlglot.errors.ParseError."""
    return sqlglot.parse_one(statement, read="bigquery")


@lru_cache(4096)
def parameters_of(statement: str) -> frozenset[str]:
    """Return the names of a statement's parameters."""
    return frozenset(node.name for node in parsed(statement).find_all(exp.Parameter))


@lru_cache(4096)
def changes(statement: str) -> list[str]:
    """Return a statement that creates or changes a table as DuckDB takes it: one change at a time."""
    tree = parsed(statement).copy()
    actions = tree.args["actions"] if isinstance(tree, exp.Alter) else [None]
    told = []
    for action in actions:
        if action is not None:
            tree.set("actions", [action])
        told.append(tree.sql(dialect="duckdb", unsupported_level=sqlglot.ErrorLevel.IGNORE))
    return told


@lru_cache(4096)
def transpiled(statement: str, kinds: tuple[tuple[str, str], ...]) -> str:
    """Return a statement in DuckDB's dialect, each parameter cast to its type."""
    types = dict(kinds)

    def typed(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Parameter) and node.name in types:
            return exp.Cast(this=node.copy(), to=exp.DataType.build(types[node.name], dialect="duckdb"))
        return node

    return parsed(statement).copy().transform(typed).sql(dialect="duckdb", unsupported_level=sqlglot.ErrorLevel.IGNORE)


def kind_of(param: Param | Rows) -> str:
    """Return the DuckDB type of a parameter."""
    if isinstance(param, Rows):
        return f"STRUCT({', '.join(f'{name} {KINDS[kind]}' for name, kind in param.fields.items())})[]"
    return KINDS[param.kind]


def value_of(param: Param | Rows) -> Any:
    """Return a parameter as DuckDB takes it."""
    if isinstance(param, Rows):
        return [dict(zip(param.columns, row, strict=True)) for row in zip(*param.columns.values(), strict=True)]
    return param.value


class DuckDatabase:
    """One database, and a lock for its transactions; `statements` keeps what was run."""

    def __init__(self) -> None:
        """Begin empty."""
        self.connection = duckdb.connect(":memory:")
        self.connection.execute("SET threads = 1")
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute("CREATE SCHEMA store")
        self.lock = threading.RLock()
        self.statements: list[str] = []
        #: Name and type of each column of the last answer.
        self.described: list[tuple[str, str]] = []

    def run(self, statement: str, kinds: Mapping[str, str], values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run one statement of BigQuery's dialect."""
        self.statements.append(statement)
        used = parameters_of(statement)
        sql = transpiled(statement, tuple(sorted((name, kinds[name]) for name in used)))
        self.connection.execute(sql, {name: values[name] for name in used} or None)
        self.described = [(name, str(kind)) for name, kind, *_ in self.connection.description or ()]
        return self.connection.fetchall()

    def alter(self, statement: str) -> None:
        """Run a statement that creates or changes a table."""
        with self.lock:
            self.statements.append(statement)
            for change in changes(statement):
                self.connection.execute(change)

    def transact(
        self, statements: Sequence[str], kinds: Mapping[str, str], values: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        """Run statements, all or none, and return the rows of the last."""
        with self.lock:
            self.connection.execute("BEGIN")
            try:
                rows = [self.run(statement, kinds, values) for statement in statements]
            except (duckdb.BinderException, duckdb.CatalogException) as error:
                self.connection.execute("ROLLBACK")
                raise Absent(str(error)) from error
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")
            return rows[-1]


class DuckWarehouse:
    """Implements worker.adapters.features.google.warehouse.Warehouse over a DuckDatabase."""

    def __init__(self, database: DuckDatabase) -> None:
        """Use a database, that others may use as well."""
        self.database = database
        self._loads = count()

    def name(self, table: str) -> str:
        """Return a table's full name."""
        return f"`store.{table}`"

    def query(self, statement: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a statement."""
        return self.transact([], statement, params)

    def transact(self, statements: Sequence[str], answer: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """Run statements in a transaction, and return the rows of the last."""
        kinds = {param.name: kind_of(param) for param in params}
        return self.database.transact([*statements, answer], kinds, {param.name: value_of(param) for param in params})

    def alter(self, statements: Sequence[str]) -> None:
        """Run statements one after the other."""
        for statement in statements:
            self.database.alter(statement)

    def load(self, rows: Rows) -> str:
        """Make a table."""
        with self.database.lock:
            table = f"store.loaded_{id(self)}_{next(self._loads)}"
            columns = ", ".join(f"{name} {KINDS[kind]}" for name, kind in rows.fields.items())
            self.database.connection.execute(f"CREATE TABLE {table} ({columns})")
            marks = ", ".join("?" for _ in rows.fields)
            values = [list(row) for row in zip(*rows.columns.values(), strict=True)]
            self.database.connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608 - a table of ours
            return f"`{table}`"

    def drop(self, loaded: str) -> None:
        """Remove a table."""
        with self.database.lock:
            self.database.connection.execute(f"DROP TABLE {loaded.strip('`')}")

    def close(self) -> None:
        """The database stays for others."""

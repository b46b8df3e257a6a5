"""Every event that a test puts into an outbox, in this process or another, must fit the schema that is published.

Stricter than for readers: a field that the schema does not name is a fault here, too.
A type without a dot is a test's own.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import sqlalchemy as sa

from worker.clock import parse_time
from worker.publish.catalogue import catalogue

_faults: list[str] = []
_FORMATS = jsonschema.FormatChecker(formats=())
#: Where tests keep data directories, below their own.
_LEDGERS = ("ledger.db", "*/ledger.db", "*/*/ledger.db")


@_FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or bool(parse_time(value))


def fault(type_: str, data: Mapping[str, Any]) -> str | None:
    """Return why the data of an event is not as published; None if it is."""
    if "." not in type_:
        return None
    found = catalogue().get(type_)
    if found is None or found.direction != "out":
        return f"{type_} has no published schema"
    error = jsonschema.exceptions.best_match(_validator(type_).iter_errors(data))
    return f"{type_}: {error.json_path}: {error.message}" if error else None


@cache
def _validator(type_: str) -> Any:
    return jsonschema.Draft202012Validator(_closed(dict(catalogue()[type_].schema)), format_checker=_FORMATS)


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: _closed(value) for name, value in schema.items()}
    return {**inner, "additionalProperties": False} if isinstance(inner.get("properties"), dict) else inner


@sa.event.listens_for(sa.Engine, "before_cursor_execute")
def _look(_connection: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: Any) -> None:
    """Look at what is written to any outbox, whoever writes it."""
    if statement.startswith("INSERT INTO outbox "):
        for row in context.compiled_parameters:
            _note(row["type"], row["data"])


def _note(type_: str, data: str) -> None:
    wrong = fault(type_, json.loads(data))
    if wrong:
        _faults.append(wrong)


@pytest.fixture(autouse=True)
def events_fit_their_schemas(request: pytest.FixtureRequest) -> Iterator[None]:
    """Check what the test has told; a directory whose tests tell what nobody would overrides this fixture."""
    # Asked for before the test, so that it is there after it.
    directory = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    _faults.clear()
    yield
    if directory is not None:
        _look_into(directory)
    assert _faults == []


def _look_into(directory: Path) -> None:
    for pattern in _LEDGERS:
        for file in directory.glob(pattern):
            # Tests break ledgers, too: what cannot be read tells nothing.
            with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
                for type_, data in connection.execute("SELECT type, data FROM outbox"):
                    _note(type_, data)

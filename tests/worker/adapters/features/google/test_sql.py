"""The statements as BigQuery gets them, kept beside this test word for word.

With UPDATE_GOLDEN=1 in the environment the files are written anew; read the difference before it is committed.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from worker.adapters.features.google.columns import Stored, column_name
from worker.adapters.features.google.sql import counting, defining, reading, snapshots, tables, writing
from worker.features.port import Definition

GOLDEN = Path(__file__).parent / "golden"
KARMA = Stored(Definition("karma", "user", "number", ttl=timedelta(days=2)), "karma")
NICK = Stored(Definition("nick", "user", "string"), "nick")
ACTIVE = Stored(Definition("active", "user", "boolean"), "active")
ASKED = "(SELECT item.place, item.entity_id, item.moment_us FROM UNNEST(@asked) AS item) AS offered"
WANTED = "(SELECT item.entity_id AS entity_id FROM UNNEST(@wanted) AS item) AS offered"
STEP = "(SELECT item.* FROM `p.d_staging.rows_1` AS item) AS offered"


def name(table: str) -> str:
    """Return a table's full name."""
    return f"`p.d.{table}`"


STATEMENTS: dict[str, Callable[[], str | list[str]]] = {
    "kept_tables": lambda: tables.create_kept(name),
    "entity_table": lambda: [
        tables.create_entity(name, "user"),
        tables.add_columns(name, KARMA),
        tables.drop_columns(name, "user", ["karma", "karma__state"]),
    ],
    "point_in_time": lambda: reading.point_in_time(name, [KARMA, NICK, ACTIVE], ASKED, respect_known_at=True),
    "point_in_time_any_known_at": lambda: reading.point_in_time(name, [NICK], ASKED, respect_known_at=False),
    "log": lambda: reading.log(name, KARMA, WANTED),
    "window": lambda: reading.window(name, KARMA),
    "newest": lambda: reading.newest(name, [KARMA, ACTIVE], WANTED),
    "count_labels": lambda: reading.count_labels(name, KARMA),
    "write_known": lambda: [
        *writing.begin(name),
        writing.insert(name, [KARMA, NICK], STEP, stamped=False),
        writing.note(name, [KARMA, NICK]),
        writing.finish(name),
        writing.answer(name),
    ],
    "write_stamped": lambda: writing.insert(name, [KARMA], STEP, stamped=True),
    "define": lambda: [
        defining.current(name),
        defining.lives(name),
        *defining.add(name, unwritten=True),
        *defining.mark(name),
        *defining.remove(name),
        defining.added(name),
        defining.removed(name),
    ],
    "snapshots": lambda: [snapshots.keep(name, STEP), snapshots.count(name), snapshots.find(name)],
    "counting": lambda: [
        *counting.add(name, STEP),
        counting.usage(name),
        counting.waiting(name),
        *counting.take(name),
        counting.taken(name),
        counting.facts(name),
    ],
}


@pytest.mark.parametrize("told", sorted(STATEMENTS))
def test_a_statement_is_the_one_that_was_looked_at(told: str) -> None:
    """What is rendered is in the file, and is BigQuery's dialect."""
    rendered = STATEMENTS[told]()
    statements = [rendered] if isinstance(rendered, str) else rendered
    for statement in statements:
        sqlglot.parse_one(statement, read="bigquery")
    text = ";\n\n".join(statements) + "\n"
    file = GOLDEN / f"{told}.sql"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


@pytest.mark.parametrize("told", sorted(STATEMENTS))
def test_what_bigquery_refuses_is_not_asked(told: str) -> None:
    """Outer joins have an equality of both sides, updates and deletions a WHERE; DuckDB would not miss them."""
    rendered = STATEMENTS[told]()
    for statement in [rendered] if isinstance(rendered, str) else rendered:
        tree = sqlglot.parse_one(statement, read="bigquery")
        for join in tree.find_all(exp.Join):
            if join.side:
                sides = [{column.table for column in one.find_all(exp.Column)} for one in join.find_all(exp.EQ)]
                assert any(len(tables_) > 1 for tables_ in sides), statement
        for change in tree.find_all(exp.Update, exp.Delete):
            assert change.args.get("where"), statement


@pytest.mark.parametrize(
    ("feature", "version", "first", "expected"),
    [
        ("score", 1, True, "score"),
        ("score", 2, False, r"score__[0-9a-f]{10}"),
        ("entity_id", 1, True, r"entity_id__[0-9a-f]{10}"),
        ("score__state", 1, True, r"score__state__[0-9a-f]{10}"),
        ("a" * 128, 1, True, r"a{36}__[0-9a-f]{10}"),
    ],
)
def test_a_column_fits_bigquery_and_the_feature_registry(
    feature: str, version: int, expected: str, *, first: bool
) -> None:
    """A name that could be taken for another column, or is too long, gets one of its own; 64 characters fit."""
    import re

    column = column_name(feature, version, first=first)
    assert re.fullmatch(expected, column)
    assert len(Stored(Definition(feature, "user", "number"), column).state) <= 64

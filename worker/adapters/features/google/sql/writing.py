"""Writes: rows offered to a wide table, of which only what is new goes in, under a write sequence of its own.

All statements of a write run in one transaction. Its first changes the one row of `colony_state`, so that of two
transactions at a time one is aborted and runs again: sequences are given in the order in which writes commit, and what
a reader sees up to the sequence that it read in `colony_state` never changes afterwards.
"""

# ruff: noqa: S608 - names of tables and columns are checked ones, and values are parameters

from collections.abc import Mapping, Sequence

from worker.adapters.features.google.columns import Stored
from worker.adapters.features.google.sql.tables import Name, entity_table

#: The earliest TIMESTAMP.
_FIRST_US = -62_135_596_800_000_000
#: The letter, the event time, and when it became known.
_STATE = "CONCAT(o.is_{i}, CAST(o.event_us AS STRING), ' ', CAST(o.known_us AS STRING))"
_BASE = "SELECT w.base FROM {writes} AS w WHERE w.batch = @batch AND w.feature = ''"


def fields(features: Sequence[Stored]) -> Mapping[str, str]:
    """Return the columns of offered rows: `value_i` and `is_i` (P, N or NULL for nothing) of each feature."""
    own = {"place": "INT64", "entity_id": "STRING", "event_us": "INT64", "known_us": "INT64"}
    for number, stored in enumerate(features):
        own |= {f"value_{number}": stored.kind, f"is_{number}": "STRING"}
    return own


def begin(name: Name) -> list[str]:
    """Return the statements that take @count sequences, if the definitions are still those of @epoch."""
    state, writes = name("colony_state"), name("colony_writes")
    return [
        f"UPDATE {state} SET write_sequence = write_sequence + @count WHERE epoch = @epoch",
        (
            f"INSERT INTO {writes} (batch, feature, base, added, written_at)"
            f" SELECT @batch, '', s.write_sequence - @count, 0, TIMESTAMP_MICROS(@now) FROM {state} AS s"
            " WHERE s.epoch = @epoch"
        ),
    ]


def insert(name: Name, features: Sequence[Stored], offered: str, *, stamped: bool) -> str:
    """Return the statement that stores what is new of some offered rows.

    Args:
        name: gives full table names.
        features: those that the rows tell of, of one entity.
        offered: a FROM item with the columns of `fields`, named `offered`.
        stamped: known-at is the time of writing: a value is new unless it stands already for its event time. Otherwise
            it is new unless the very same observation is there.
    """
    table = name(entity_table(features[0].definition.entity))
    numbers = range(len(features))
    targets = "".join(f", `{one.column}`, `{one.state}`" for one in features)
    own = "".join(f", offered.value_{i}, offered.is_{i}" for i in numbers)
    held = "".join(f", t.`{one.state}` AS state_{i}, {_same(i, one)} AS same_{i}" for i, one in enumerate(features))
    highest = "".join(f", MAX(IF(state_{i} IS NULL, NULL, standing)) OVER each AS top_{i}" for i in numbers)
    counts = [f"standing = top_{i} AND same_{i}" if stamped else f"known_equal AND same_{i}" for i in numbers]
    there = "".join(f", LOGICAL_OR({count}) AS there_{i}" for i, count in enumerate(counts))
    new = [f"(o.is_{i} IS NOT NULL AND NOT COALESCE(b.there_{i}, FALSE))" for i in numbers]
    cells = "".join(f",\n  IF({new[i]}, o.value_{i}, NULL), IF({new[i]}, {_STATE.format(i=i)}, NULL)" for i in numbers)
    return f"""INSERT INTO {table}
  (entity_id, feature_timestamp, known_at, serving_timestamp, write_sequence{targets})
WITH rows_offered AS (
  SELECT offered.place, offered.entity_id, offered.event_us, offered.known_us{own} FROM {offered}
),
beside AS (
  SELECT r.place, t.known_at = TIMESTAMP_MICROS(r.known_us) AS known_equal,
    UNIX_MICROS(t.known_at) AS held_known_us, UNIX_MICROS(t.serving_timestamp) AS held_serving_us,
    ROW_NUMBER() OVER (PARTITION BY r.place ORDER BY t.known_at, t.write_sequence) AS standing{held}
  FROM rows_offered AS r JOIN {table} AS t
    ON t.entity_id = r.entity_id AND t.feature_timestamp = TIMESTAMP_MICROS(r.event_us)
  WHERE t.feature_timestamp BETWEEN TIMESTAMP_MICROS(@first) AND TIMESTAMP_MICROS(@last)
),
compared AS (
  SELECT beside.*{highest} FROM beside WINDOW each AS (PARTITION BY place)
),
before AS (
  SELECT place, MAX(held_known_us) AS newest_known_us, MAX(held_serving_us) AS newest_serving_us,
    MIN(held_serving_us) AS oldest_serving_us{there}
  FROM compared GROUP BY place
),
numbered AS (
  SELECT r.*,
    ROW_NUMBER() OVER (PARTITION BY entity_id, event_us ORDER BY known_us, place) AS nth,
    ROW_NUMBER() OVER (PARTITION BY entity_id, event_us ORDER BY known_us DESC, place DESC) AS nth_last
  FROM rows_offered AS r
)
SELECT o.entity_id, TIMESTAMP_MICROS(o.event_us), TIMESTAMP_MICROS(o.known_us),
  TIMESTAMP_MICROS(CASE
    WHEN b.place IS NULL THEN o.event_us + o.nth - 1
    WHEN o.known_us >= b.newest_known_us THEN b.newest_serving_us + o.nth
    ELSE GREATEST(b.oldest_serving_us - o.nth_last, {_FIRST_US})
  END),
  w.base + o.place{cells}
FROM numbered AS o
JOIN {name("colony_writes")} AS w ON w.batch = @batch AND w.feature = ''
LEFT JOIN before AS b ON b.place = o.place
WHERE {" OR ".join(new)}"""


def _same(number: int, stored: Stored) -> str:
    """Tell whether a row of the table says of a feature what the offered one says."""
    return f"(LEFT(t.`{stored.state}`, 1) = r.is_{number} AND COALESCE(t.`{stored.column}` = r.value_{number}, TRUE))"


def note(name: Name, features: Sequence[Stored]) -> str:
    """Return the statement that notes what was new of each feature of one entity in this batch."""
    table, writes = name(entity_table(features[0].definition.entity)), name("colony_writes")
    base = _BASE.format(writes=writes)
    sums = ", ".join(
        f"COUNTIF(t.`{one.state}` IS NOT NULL) AS added_{i},"
        f" MAX(IF(t.`{one.state}` IS NOT NULL, UNIX_MICROS(t.feature_timestamp), NULL)) AS newest_{i}"
        for i, one in enumerate(features)
    )
    told = ", ".join(
        f"STRUCT('{one.definition.name}' AS feature, s.added_{i} AS added, s.newest_{i} AS newest_us)"
        for i, one in enumerate(features)
    )
    return (
        f"INSERT INTO {writes} (batch, feature, base, added, newest_us, written_at)"
        " SELECT @batch, n.feature, 0, n.added, n.newest_us, TIMESTAMP_MICROS(@now)"
        f" FROM (SELECT {sums} FROM {table} AS t"
        " WHERE t.feature_timestamp BETWEEN TIMESTAMP_MICROS(@first) AND TIMESTAMP_MICROS(@last)"
        f" AND t.write_sequence > ({base}) AND t.write_sequence <= ({base}) + @count) AS s"
        f" CROSS JOIN UNNEST([{told}]) AS n WHERE n.added > 0"
    )


def finish(name: Name) -> str:
    """Return the statement that adds what was new to what is known of each feature."""
    return (
        f"UPDATE {name('colony_features')} AS f SET kept = f.kept + w.added,"
        " newest_us = GREATEST(COALESCE(f.newest_us, w.newest_us), w.newest_us), written_us = @now"
        f" FROM {name('colony_writes')} AS w WHERE w.batch = @batch AND w.feature = f.name"
    )


def answer(name: Name) -> str:
    """Return the statement that tells (whether the batch was taken, how many values were new)."""
    return (
        "SELECT COUNTIF(w.feature = ''), COALESCE(SUM(w.added), 0)"
        f" FROM {name('colony_writes')} AS w WHERE w.batch = @batch"
    )

"""Point-in-time reads of one entity's features, all in one statement.

The rule is that of `worker.features.join`: for a row at time t, of the values with event time <= t and (unless switched
off) known-at <= t the one with the newest event time, then the newest known-at, then the last written; it counts while
t - event time <= ttl. The sparse rule: a row of the table in which a feature's state is missing says nothing about that
feature and hides no older value of it; a state of NULL is a value, and hides what was before.

A value becomes visible at the later of its two times, and what counts at t is the highest in the order (event time,
known-at, write sequence) of all that is visible by then: a running maximum over one stream of values and questions,
sorted once. No question is joined with the whole history of its entity.
"""

# ruff: noqa: S608 - names of tables and columns are checked ones, and values are parameters

from collections.abc import Sequence
from datetime import timedelta

from worker.adapters.features.google.columns import Stored
from worker.adapters.features.google.sql.tables import Name, entity_table

_MICROSECOND = timedelta(microseconds=1)


def point_in_time(name: Name, features: Sequence[Stored], offered: str, *, respect_known_at: bool) -> str:
    """Return a statement that answers (place, value_0, state_0, value_1, …) for each asked row that finds anything.

    Args:
        name: gives full table names.
        features: of one entity.
        offered: a FROM item of (place INT64, entity_id STRING, moment_us INT64), named `offered`.
        respect_known_at: whether a value that was not known by t is left out.

    Parameters: @first and @last (the reach of event times, INT64 microseconds), @bound (the last write sequence).
    """
    numbers = range(len(features))
    known = "UNIX_MICROS(t.known_at)"
    visible = f"GREATEST(UNIX_MICROS(t.feature_timestamp), {known})" if respect_known_at else _EVENT
    held = "".join(f", t.`{one.column}` AS value_{i}, t.`{one.state}` AS state_{i}" for i, one in enumerate(features))
    places = "".join(f", IF(state_{i} IS NULL, NULL, place_in_order) AS at_{i}" for i in numbers)
    nothing = "".join(f", CAST(NULL AS INT64) AS at_{i}" for i in numbers)
    running = "".join(f", MAX(at_{i}) OVER so_far AS at_{i}" for i in numbers)
    found = ", ".join(f"STRUCT({i} AS feature, n.at_{i} AS place_in_order)" for i in numbers)
    picked = "".join(_picked(i, one) for i, one in enumerate(features))
    return f"""WITH asked AS (
  SELECT offered.place, offered.entity_id, offered.moment_us FROM {offered}
),
seen AS (
  SELECT t.entity_id, {_EVENT} AS event_us, {visible} AS visible_us,
    ROW_NUMBER() OVER (
      PARTITION BY t.entity_id ORDER BY t.feature_timestamp, t.known_at, t.write_sequence
    ) AS place_in_order{held}
  FROM {name(entity_table(features[0].definition.entity))} AS t
  WHERE {_REACH} AND t.write_sequence <= @bound AND t.entity_id IN (SELECT asked.entity_id FROM asked)
),
stream AS (
  SELECT entity_id, visible_us AS moment_us, 0 AS question, CAST(NULL AS INT64) AS place{places} FROM seen
  UNION ALL
  SELECT entity_id, moment_us, 1 AS question, place{nothing} FROM asked
),
newest AS (
  SELECT place, entity_id, moment_us{running} FROM stream
  WINDOW so_far AS (
    PARTITION BY entity_id ORDER BY moment_us, question ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  )
),
found AS (
  SELECT n.place, n.entity_id, n.moment_us, f.feature, f.place_in_order
  FROM newest AS n CROSS JOIN UNNEST([{found}]) AS f
  WHERE n.place IS NOT NULL AND f.place_in_order IS NOT NULL
)
SELECT found.place{picked}
FROM found JOIN seen ON seen.entity_id = found.entity_id AND seen.place_in_order = found.place_in_order
GROUP BY found.place"""


_EVENT = "UNIX_MICROS(t.feature_timestamp)"
#: Constant bounds: BigQuery reads only the days between them.
_REACH = "t.feature_timestamp BETWEEN TIMESTAMP_MICROS(@first) AND TIMESTAMP_MICROS(@last)"


def _picked(number: int, stored: Stored) -> str:
    """Return the two columns of one feature: exactly one row of the group is of it."""
    ttl = stored.definition.ttl
    valid = f"found.feature = {number}"
    if ttl is not None:
        valid += f" AND found.moment_us - seen.event_us <= {ttl // _MICROSECOND}"
    highest = "LOGICAL_OR" if stored.definition.type == "boolean" else "MAX"
    value = f"{highest}(IF({valid}, seen.value_{number}, NULL)) AS value_{number}"
    return f",\n  {value}, MAX(IF({valid}, seen.state_{number}, NULL)) AS state_{number}"


def log(name: Name, stored: Stored, offered: str) -> str:
    """Return a statement that gives (entity_id, event, known, sequence, value) of some entities' values.

    Args:
        name: gives full table names.
        stored: the feature.
        offered: a FROM item of (entity_id STRING), named `offered`.

    Parameters: @first and @last (the reach of event times), @bound.
    """
    table = name(entity_table(stored.definition.entity))
    return (
        f"SELECT t.entity_id, {_EVENT}, UNIX_MICROS(t.known_at), t.write_sequence, t.`{stored.column}`"
        f" FROM {table} AS t WHERE {_REACH} AND t.write_sequence <= @bound AND t.`{stored.state}` IS NOT NULL"
        f" AND t.entity_id IN (SELECT offered.entity_id FROM {offered})"
    )


def window(name: Name, stored: Stored) -> str:
    """Return a statement that gives the same of all entities in [@first, @last]."""
    table = name(entity_table(stored.definition.entity))
    return (
        f"SELECT t.entity_id, {_EVENT}, UNIX_MICROS(t.known_at), t.write_sequence, t.`{stored.column}`"
        f" FROM {table} AS t WHERE {_REACH} AND t.write_sequence <= @bound AND t.`{stored.state}` IS NOT NULL"
    )


def newest(name: Name, features: Sequence[Stored], offered: str) -> str:
    """Return a statement that gives (entity_id, value_0, state_0, served_0, …): the newest of each feature.

    `served_0` is the serving timestamp of its row, in microseconds.

    Args:
        name: gives full table names.
        features: of one entity.
        offered: a FROM item of (entity_id STRING), named `offered`.
    """
    numbers = range(len(features))
    held = "".join(f", t.`{one.column}` AS value_{i}, t.`{one.state}` AS state_{i}" for i, one in enumerate(features))
    last = "".join(
        f", MAX(IF(state_{i} IS NULL, NULL, place_in_order)) OVER (PARTITION BY entity_id) AS at_{i}" for i in numbers
    )
    picked = "".join(_newest_of(i, one) for i, one in enumerate(features))
    return f"""WITH seen AS (
  SELECT t.entity_id, ROW_NUMBER() OVER (
      PARTITION BY t.entity_id ORDER BY t.feature_timestamp, t.known_at, t.write_sequence
    ) AS place_in_order, UNIX_MICROS(t.serving_timestamp) AS serving_us{held}
  FROM {name(entity_table(features[0].definition.entity))} AS t
  WHERE t.entity_id IN (SELECT offered.entity_id FROM {offered})
),
placed AS (
  SELECT seen.*{last} FROM seen
)
SELECT entity_id{picked}
FROM placed
GROUP BY entity_id"""


def _newest_of(number: int, stored: Stored) -> str:
    highest = "LOGICAL_OR" if stored.definition.type == "boolean" else "MAX"
    chosen = f"place_in_order = at_{number}"
    value = f"{highest}(IF({chosen}, value_{number}, NULL)) AS value_{number}"
    served = f"MAX(IF({chosen} AND state_{number} IS NOT NULL, serving_us, NULL)) AS served_{number}"
    return f",\n  {value}, MAX(IF({chosen}, state_{number}, NULL)) AS state_{number}, {served}"


def count_labels(name: Name, stored: Stored) -> str:
    """Return a statement that counts observations known in (@after, @by] and true by then, NULLs not."""
    table = name(entity_table(stored.definition.entity))
    return (
        "SELECT COUNT(*) FROM (SELECT DISTINCT t.entity_id, t.feature_timestamp"
        f" FROM {table} AS t WHERE t.feature_timestamp <= TIMESTAMP_MICROS(@by)"
        " AND t.known_at > TIMESTAMP_MICROS(@after) AND t.known_at <= TIMESTAMP_MICROS(@by)"
        f" AND STARTS_WITH(t.`{stored.state}`, 'P')) AS observed"
    )

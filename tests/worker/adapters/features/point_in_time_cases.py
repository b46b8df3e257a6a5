"""Point-in-time reads with their answers, written by hand; data only, for every backend of the feature store.

All cases may lie in one store: each has entity ids of its own. The store's clock stands at 2002-10-01T00:00:00Z, which
is when a value becomes known for which no known-at is given.
"""

from typing import Any, NamedTuple

Cell = Any

#: feature -> (entity, type, ttl in days or None)
FEATURES: dict[str, tuple[str, str, float | None]] = {
    "number": ("thing", "number", None),
    "other": ("thing", "number", None),
    "fresh": ("thing", "number", 1.0),
    "text": ("thing", "string", None),
    "flag": ("thing", "boolean", None),
    "place": ("thing", "vector", None),
    "owner": ("thing", "string", None),
    "karma": ("person", "number", None),
}

DAY = "2002-01-01T00:00:00Z"
YES, NO = True, False


class Value(NamedTuple):
    """One write, in order; `known` None is the store's clock."""

    entity: str
    feature: str
    value: Cell
    event: str
    known: str | None = "="  # as the event time


class Case(NamedTuple):
    """Rows (entity, time) asked for `features`, and the answer row by row; None as the answer: the read is refused."""

    told: str
    values: list[Value]
    rows: list[tuple[str, str]]
    expected: list[Any] | None
    features: tuple[str, ...] = ("number",)
    respect_known_at: bool = True
    joins: tuple[tuple[str, str], ...] = ()


def _day(number: int, time: str = "00:00:00") -> str:
    return f"2002-01-{number:02}T{time}Z"


def _v(value: Cell, day: int, known: str | None = "=", *, feature: str = "number", entity: str = "a") -> Value:
    return Value(entity, feature, value, _day(day), known)


CASES = [
    Case("an entity that was never seen", [], [("nobody", DAY)], [None]),
    Case("a value one day before", [_v(1.0, 1)], [("a", _day(2))], [1.0]),
    Case("a value at the very time", [_v(1.0, 2)], [("a", _day(2))], [1.0]),
    Case(
        "a value one microsecond after",
        [Value("a", "number", 1.0, "2002-01-02T00:00:00.000001Z")],
        [("a", _day(2))],
        [None],
    ),
    Case(
        "a value one microsecond before",
        [Value("a", "number", 1.0, "2002-01-01T23:59:59.999999Z")],
        [("a", _day(2))],
        [1.0],
    ),
    Case("the newest of three", [_v(1.0, 1), _v(2.0, 2), _v(3.0, 4)], [("a", _day(3))], [2.0]),
    Case("written in the wrong order", [_v(3.0, 4), _v(1.0, 1), _v(2.0, 2)], [("a", _day(3))], [2.0]),
    Case(
        "a history read at each of its times",
        [_v(1.0, 1), _v(2.0, 2), _v(3.0, 3)],
        [("a", _day(3)), ("a", _day(1)), ("a", _day(2))],
        [3.0, 1.0, 2.0],
    ),
    Case("a row before all values", [_v(1.0, 5)], [("a", _day(1)), ("a", _day(6))], [None, 1.0]),
    Case("late data that was not known yet", [_v(1.0, 1), _v(2.0, 2, _day(9))], [("a", _day(5))], [1.0]),
    Case("late data once it is known", [_v(1.0, 1), _v(2.0, 2, _day(9))], [("a", _day(9))], [2.0]),
    Case(
        "late data one microsecond before it is known",
        [_v(1.0, 1), _v(2.0, 2, "2002-01-05T00:00:00.000001Z")],
        [("a", _day(5))],
        [1.0],
    ),
    Case("late data between two others", [_v(1.0, 1), _v(3.0, 3), _v(2.0, 2, _day(9))], [("a", _day(10))], [3.0]),
    Case("known before it was true", [_v(1.0, 5, _day(1))], [("a", _day(4)), ("a", _day(5))], [None, 1.0]),
    Case("one event time, corrected later", [_v(1.0, 1, _day(1)), _v(2.0, 1, _day(3))], [("a", _day(2))], [1.0]),
    Case("one event time, after the correction", [_v(1.0, 1, _day(1)), _v(2.0, 1, _day(3))], [("a", _day(3))], [2.0]),
    Case(
        "one event time, the correction written first",
        [_v(2.0, 1, _day(3)), _v(1.0, 1, _day(1))],
        [("a", _day(4)), ("a", _day(2))],
        [2.0, 1.0],
    ),
    Case("both times the same: last written", [_v(1.0, 1), _v(2.0, 1)], [("a", _day(2))], [2.0]),
    Case("both times the same, and back again", [_v(1.0, 1), _v(2.0, 1), _v(1.0, 1)], [("a", _day(2))], [2.0]),
    Case(
        "a correction taken back later",
        [_v(1.0, 1, _day(1)), _v(2.0, 1, _day(2)), _v(1.0, 1, _day(3))],
        [("a", _day(2)), ("a", _day(3))],
        [2.0, 1.0],
    ),
    Case("a backfill without known-at is not known at the time", [_v(1.0, 1, None)], [("a", _day(5))], None),
    Case("the same, known-at switched off", [_v(1.0, 1, None)], [("a", _day(5))], [1.0], respect_known_at=False),
    Case("a backfill read after the clock", [_v(1.0, 1, None)], [("a", "2002-10-01T00:00:00Z")], [1.0]),
    Case(
        "a long backfill over one value known in time",
        [_v(0.5, 1), *(_v(float(day), day, _day(31)) for day in range(2, 29))],
        [("a", _day(30)), ("a", _day(31))],
        [0.5, 28.0],
    ),
    Case(
        "known-at that falls while event time grows",
        [_v(float(day), day, _day(31 - day)) for day in range(1, 16)],
        [("a", _day(20)), ("a", _day(16)), ("a", _day(30))],
        [15.0, 15.0, 15.0],
    ),
    Case(
        "known-at that falls, before the newest is known",
        [_v(float(day), day, _day(30 - day)) for day in range(1, 11)],
        [("a", _day(20)), ("a", _day(29))],
        [10.0, 10.0],
    ),
    Case("exactly as old as the ttl", [_v(1.0, 1, feature="fresh")], [("a", _day(2))], [1.0], ("fresh",)),
    Case(
        "one microsecond older than the ttl",
        [_v(1.0, 1, feature="fresh")],
        [("a", "2002-01-02T00:00:00.000001Z")],
        [None],
        ("fresh",),
    ),
    Case(
        "the newest is unknown and the one before expired",
        [_v(1.0, 1, feature="fresh"), _v(2.0, 3, _day(9), feature="fresh")],
        [("a", _day(3, "12:00:00")), ("a", _day(1, "12:00:00"))],
        [None, 1.0],
        ("fresh",),
    ),
    Case(
        "expiry counts from event time, not from known-at",
        [_v(1.0, 1, _day(5), feature="fresh"), _v(2.0, 8, feature="fresh")],
        [("a", _day(5)), ("a", _day(8))],
        [None, 2.0],
        ("fresh",),
    ),
    Case(
        "one feature with a ttl beside one without",
        [_v(1.0, 1, feature="fresh"), _v(2.0, 1)],
        [("a", _day(9))],
        [(None, 2.0)],
        ("fresh", "number"),
    ),
    Case("a NULL hides what was before", [_v(1.0, 1), _v(None, 2)], [("a", _day(3)), ("a", _day(1))], [None, 1.0]),
    Case("a value after a NULL", [_v(None, 1), _v(2.0, 2)], [("a", _day(3))], [2.0]),
    Case("a NULL that is not known yet", [_v(1.0, 1), _v(None, 2, _day(9))], [("a", _day(3))], [1.0]),
    Case("a NULL corrected to a value", [_v(None, 1, _day(1)), _v(2.0, 1, _day(3))], [("a", _day(4))], [2.0]),
    Case("a value corrected to NULL", [_v(2.0, 1, _day(1)), _v(None, 1, _day(3))], [("a", _day(4))], [None]),
    Case(
        "an expired NULL uncovers nothing",
        [_v(1.0, 1, feature="fresh"), _v(None, 1, _day(2), feature="fresh"), _v(5.0, 9, feature="fresh")],
        [("a", _day(3)), ("a", _day(9))],
        [None, 5.0],
        ("fresh",),
    ),
    Case(
        "an offset of two hours",
        [Value("a", "number", 1.0, "2002-01-02T02:00:00+02:00")],
        [("a", _day(1, "23:59:59")), ("a", _day(2))],
        [None, 1.0],
    ),
    Case(
        "a row's time with an offset",
        [_v(1.0, 2)],
        [("a", "2002-01-01T19:00:00-05:00"), ("a", "2002-01-01T18:59:59-05:00")],
        [1.0, None],
    ),
    Case(
        "the hour that summer time leaves out (Berlin, 2002-03-31 02:00 to 03:00)",
        [
            Value("a", "number", 1.0, "2002-03-31T01:59:59+01:00"),
            Value("a", "number", 2.0, "2002-03-31T03:00:00+02:00"),
        ],
        [("a", "2002-03-31T00:59:59Z"), ("a", "2002-03-31T01:00:00Z")],
        [1.0, 2.0],
    ),
    Case(
        "the hour that comes twice (New York, 2001-10-28 01:30)",
        [
            Value("a", "number", 1.0, "2001-10-28T01:30:00-04:00"),
            Value("a", "number", 2.0, "2001-10-28T01:30:00-05:00"),
        ],
        [("a", "2001-10-28T05:45:00Z"), ("a", "2001-10-28T06:30:00Z"), ("a", "2001-10-28T06:29:59Z")],
        [1.0, 2.0, 1.0],
    ),
    Case("a leap day", [Value("a", "number", 1.0, "2000-02-29T12:00:00Z")], [("a", "2000-03-01T00:00:00Z")], [1.0]),
    Case(
        "before 1970",
        [Value("a", "number", 1.0, "1969-12-31T23:59:59.999999Z"), Value("a", "number", 2.0, "1970-01-01T00:00:00Z")],
        [("a", "1969-12-31T23:59:59.999999Z"), ("a", "1969-12-31T23:59:59.999998Z"), ("a", "1970-01-01T00:00:00Z")],
        [1.0, None, 2.0],
    ),
    Case(
        "from the first microsecond to the last",
        [Value("a", "number", 1.0, "0001-01-01T00:00:00Z")],
        [("a", "9999-12-31T23:59:59.999999Z"), ("a", "0001-01-01T00:00:00Z")],
        [1.0, 1.0],
    ),
    Case(
        "a ttl far from the first year",
        [Value("a", "fresh", 1.0, "0001-01-01T00:00:00Z")],
        [("a", "0001-01-01T23:59:59Z"), ("a", "9999-12-31T00:00:00Z")],
        [1.0, None],
        ("fresh",),
    ),
    Case(
        "duplicated rows, each answered where it stands",
        [_v(1.0, 1), _v(9.0, 1, entity="b")],
        [("b", _day(2)), ("a", _day(2)), ("b", _day(2)), ("a", _day(2)), ("a", _day(2))],
        [9.0, 1.0, 9.0, 1.0, 1.0],
    ),
    Case(
        "missing entities among known ones",
        [_v(1.0, 1), _v(3.0, 1, entity="c")],
        [("b", _day(2)), ("c", _day(2)), ("", _day(2)), ("a", _day(2))],
        [None, 3.0, None, 1.0],
    ),
    Case(
        "one entity under two features",
        [_v(1.0, 1), _v(5.0, 3, feature="other")],
        [("a", _day(2)), ("a", _day(3))],
        [(1.0, None), (1.0, 5.0)],
        ("number", "other"),
    ),
    Case(
        "two features, one event time, different known-at",
        [_v(1.0, 1, _day(1)), _v(5.0, 1, _day(3), feature="other")],
        [("a", _day(2)), ("a", _day(3))],
        [(1.0, None), (1.0, 5.0)],
        ("number", "other"),
    ),
    Case(
        "mixed types side by side",
        [
            _v(-0.5, 1),
            _v("", 1, feature="text"),
            _v(NO, 1, feature="flag"),
            _v([1.0, -2.5], 1, feature="place"),
            _v("é💡\n", 2, feature="text"),
            _v(YES, 2, feature="flag"),
            _v([0.0], 2, feature="place"),
        ],
        [("a", _day(1)), ("a", _day(2))],
        [(-0.5, "", False, [1.0, -2.5]), (-0.5, "é💡\n", True, [0.0])],
        ("number", "text", "flag", "place"),
    ),
    Case(
        "NULL of every type",
        [
            _v("x", 1, feature="text"),
            _v(None, 2, feature="text"),
            _v(YES, 1, feature="flag"),
            _v(None, 2, feature="flag"),
            _v([1.0], 1, feature="place"),
            _v(None, 2, feature="place"),
        ],
        [("a", _day(2)), ("a", _day(1))],
        [(None, None, None), ("x", True, [1.0])],
        ("text", "flag", "place"),
    ),
    Case(
        "text that ties with both times is the last written",
        [_v("first", 1, feature="text"), _v("last", 1, feature="text")],
        [("a", _day(1))],
        ["last"],
        ("text",),
    ),
    Case(
        "numbers at the ends of their range",
        [_v(1.7976931348623157e308, 1), _v(5e-324, 2), _v(-1.7976931348623157e308, 3)],
        [("a", _day(1)), ("a", _day(2)), ("a", _day(3))],
        [1.7976931348623157e308, 5e-324, -1.7976931348623157e308],
    ),
    Case(
        "ids that are alike",
        [_v(1.0, 1, entity="x"), _v(2.0, 1, entity="x "), _v(3.0, 1, entity="X"), _v(4.0, 1, entity="x/ä"),
         _v(5.0, 1, entity="x" * 900)],
        [("x ", _day(1)), ("x" * 900, _day(1)), ("x/ä", _day(1)), ("X", _day(1)), ("x", _day(1))],
        [2.0, 5.0, 4.0, 3.0, 1.0],
    ),
    Case(
        "another entity's feature, through the id held at the row's time",
        [
            _v("p1", 1, feature="owner"),
            _v("p2", 5, feature="owner"),
            Value("p1", "karma", 10.0, _day(1)),
            Value("p1", "karma", 11.0, _day(6)),
            Value("p2", "karma", 20.0, _day(1)),
        ],
        [("a", _day(3)), ("a", _day(7)), ("b", _day(7))],
        [10.0, 20.0, None],
        ("karma",),
        joins=(("person", "owner"),),
    ),
]  # fmt: skip

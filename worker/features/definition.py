"""What a feature definition and a value may be: the checks that every backend makes before it stores anything; pure."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from worker.clock import to_us
from worker.errors import NotFound, Rejected
from worker.features.port import Definition, Value

TYPES = ("number", "string", "boolean", "vector")
#: `GET features/{name}/usage` stands where else an entity's feature is read.
RESERVED = frozenset({"usage"})
SOURCES = ("ingested", "computed")
MAX_STRING_BYTES = 64 * 1024
MAX_VECTOR_LENGTH = MAX_STRING_BYTES // 8
MAX_ENTITY_ID_BYTES = 1024
#: Of a description, an owner, a tag …
MAX_WORDS_BYTES = 16 * 1024
MAX_TAGS = 64
#: How far ahead of the store's clock a time may be: clocks differ a little, wrong units differ a lot.
MAX_AHEAD = timedelta(minutes=5)

Check = Callable[[Value], Value]

_MAX_AHEAD_US = MAX_AHEAD // timedelta(microseconds=1)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,127}")
_FIRST_US = to_us(datetime.min.replace(tzinfo=UTC))
_LAST_US = to_us(datetime.max.replace(tzinfo=UTC))


def check_definition(definition: Definition) -> None:
    """Refuse a definition that no store could keep its word on.

    Raises:
        Rejected: a bad name, entity, type, source, computation, ttl, range or word, with the field that is wrong.
    """
    _check_name(definition.name, "name")
    if definition.name in RESERVED:
        mend = "choose another"
        raise Rejected(f"{definition.name!r} is a word of the HTTP API, at a feature's place", field="name", mend=mend)
    _check_name(definition.entity, "entity")
    _check_choice(definition.type, TYPES, "type")
    _check_choice(definition.source, SOURCES, "source")
    _check_computation(definition)
    if definition.ttl is not None and definition.ttl < timedelta(0):
        raise Rejected("a ttl cannot be negative", field="ttl", mend="write it as 30d, 12h or 86400s, or leave it out")
    _check_range(definition)
    _check_words(definition)


def _check_name(name: str, field: str) -> None:
    if not _NAME.fullmatch(name):
        mend = "use lower-case letters, digits and _, beginning with a letter, at most 128 characters"
        raise Rejected(f"{name[:140]!r} is not a name", field=field, mend=mend)


def _check_choice(word: str, choices: Sequence[str], field: str) -> None:
    if word not in choices:
        raise Rejected(f"{word[:140]!r} is not a {field}", field=field, mend=f"use one of: {', '.join(choices)}")


def _check_computation(definition: Definition) -> None:
    """Refuse what is no computation; whether the features in it exist and fit is for `computed.check`."""
    if definition.source == "computed":
        from worker.features.computed.parse import parse

        utf8_length(definition.computation or "", "computation")
        parse(definition.computation or "")
    elif definition.computation is not None:
        mend = "leave computation out, or define it with source: computed"
        raise Rejected("an ingested feature is not computed from anything", field="computation", mend=mend)


def _check_words(definition: Definition) -> None:
    """Refuse words that no listing could show: too long, or half of a surrogate pair."""
    for field in ("group", "description", "owner", "unit", "deprecated"):
        _check_word(getattr(definition, field), field)
    for tag in definition.tags:
        _check_word(tag, "tags")
        if not tag.strip():
            raise Rejected("a tag cannot be empty", field="tags")
    if len(definition.tags) > MAX_TAGS:
        raise Rejected(f"{len(definition.tags)} tags; {MAX_TAGS} are the most", field="tags")


def _check_word(text: object, field: str) -> None:
    if not isinstance(text, str):
        raise Rejected(f"text is expected, and this is {type(text).__name__}", field=field)
    if utf8_length(text, field) > MAX_WORDS_BYTES:
        raise Rejected(f"is longer than {MAX_WORDS_BYTES} bytes", field=field)


def _check_range(definition: Definition) -> None:
    """Refuse a range that no value could lie in, or that is of something else than a number."""
    bounds = {"minimum": definition.minimum, "maximum": definition.maximum}
    for field, bound in bounds.items():
        if bound is None:
            continue
        if definition.type != "number":
            mend = f"leave {field} out"
            raise Rejected(f"only a number has a range, and this is a {definition.type}", field=field, mend=mend)
        try:
            _finite(bound)
        except Rejected as error:
            raise Rejected(error.reason, field=field, mend="leave it out where there is no bound") from error
    if definition.minimum is not None and definition.maximum is not None and definition.minimum > definition.maximum:
        reason = f"the minimum {definition.minimum:g} is above the maximum {definition.maximum:g}"
        raise Rejected(reason, field="minimum", mend="exchange the two")


def range_text(definition: Definition) -> str:
    """Return the declared range as words, empty for none."""
    low, high = definition.minimum, definition.maximum
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    if low is not None:
        return f"at least {low:g}"
    return "" if high is None else f"at most {high:g}"


def normal(definition: Definition) -> Definition:
    """Return the definition in its one stored form: a ttl of nothing means for ever, tags are sorted, once each."""
    return replace(
        definition,
        ttl=definition.ttl or None,
        tags=tuple(sorted(set(definition.tags))),
        minimum=None if definition.minimum is None else float(definition.minimum),
        maximum=None if definition.maximum is None else float(definition.maximum),
    )


def meaning(definition: Definition) -> tuple[object, ...]:
    """Return what a stored or computed value rests on: with another meaning the same number says something else."""
    of = normal(definition)
    return of.entity, of.type, of.source, of.computation, of.ttl, of.unit


def unknown_feature(name: str, known: Sequence[str]) -> NotFound:
    """Return the error for a feature that is not defined, with what there is instead."""
    listed = ", ".join(sorted(known)[:12]) or "none yet"
    more = ", …" if len(known) > 12 else ""
    return NotFound(f"the feature {name[:140]!r} is not defined; defined are: {listed}{more}")


def value_check(feature_type: str) -> Check:
    """Return the check of one type: it takes a value, and returns it in its stored form or raises Rejected.

    NULL (None) is a value of every type. Numbers are stored as 64-bit floats.
    """
    return {"number": _number, "string": _string, "boolean": _boolean, "vector": _vector}[feature_type]


def checks_of(definition: Definition) -> Check:
    """Return the check of one feature's values: its type, and the range that it declares."""
    check, low, high = value_check(definition.type), definition.minimum, definition.maximum
    if low is None and high is None:
        return check

    def within(value: Value) -> Value:
        number = check(value)
        if isinstance(number, float) and ((low is not None and number < low) or (high is not None and number > high)):
            reason = f"{number:g} is outside the range of {definition.name!r}: {range_text(definition)}"
            raise Rejected(reason, field="value", mend="correct the value, or define the feature with a wider range")
        return number

    return within


def _number(value: Value) -> Value:
    return None if value is None else _finite(value)


def _finite(value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type("number", value)
    if isinstance(value, int):
        return _exact_float(value)
    if not math.isfinite(value):
        raise Rejected(f"{value} is not a finite number", field="value", mend="store null where there is no number")
    return value + 0.0  # there is one zero: -0.0 becomes 0.0


def _exact_float(value: int) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if number != value:
        mend = "define the feature as a string if it is an id"
        raise Rejected("the whole number does not fit a 64-bit float exactly", field="value", mend=mend)
    return number


def _string(value: Value) -> Value:
    if value is None:
        return None
    if not isinstance(value, str):
        raise _wrong_type("string", value)
    if utf8_length(value, "value") > MAX_STRING_BYTES:
        raise Rejected(f"a string is longer than {MAX_STRING_BYTES} bytes", field="value")
    return value


def _boolean(value: Value) -> Value:
    if value is None or isinstance(value, bool):
        return value
    raise _wrong_type("boolean", value)


def _vector(value: Value) -> Value:
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        raise _wrong_type("vector", value)
    if not 1 <= len(value) <= MAX_VECTOR_LENGTH:
        raise Rejected(f"a vector has 1 to {MAX_VECTOR_LENGTH} numbers, not {len(value)}", field="value")
    return [_finite(number) for number in value]


def _wrong_type(expected: str, value: object) -> Rejected:
    given = f"{type(value).__name__} {str(value)[:80]!r}"
    return Rejected(f"the feature is a {expected}, and this is {given}", field="value")


def check_entity_id(entity_id: str) -> None:
    """Refuse an entity id that is not text of 1 to 1024 bytes of UTF-8 without NUL. Raises Rejected."""
    if not isinstance(entity_id, str):
        raise Rejected(f"an entity id is text, and this is {type(entity_id).__name__}", field="entityId")
    if not entity_id:
        raise Rejected("an entity id cannot be empty", field="entityId")
    if "\0" in entity_id:
        raise Rejected("an entity id cannot hold the character NUL", field="entityId")
    if utf8_length(entity_id, "entityId") > MAX_ENTITY_ID_BYTES:
        raise Rejected(f"an entity id is longer than {MAX_ENTITY_ID_BYTES} bytes of UTF-8", field="entityId")


def utf8_length(text: str, field: str) -> int:
    """Return the length in bytes of UTF-8. Raises Rejected for half of a surrogate pair, which has no UTF-8."""
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise Rejected("the text is not valid Unicode (half of a surrogate pair)", field=field) from error


def time_us(moment: datetime, field: str) -> int:
    """Return a time as stored: whole microseconds since 1970, in UTC. Raises Rejected for a time without a zone."""
    if not isinstance(moment, datetime):
        raise Rejected(f"a time is expected, and this is {type(moment).__name__}", field=field)
    try:
        microseconds = to_us(moment)
    except ValueError as error:
        raise Rejected("the time has no zone", field=field, mend="write it as 2002-09-28T00:00:00Z") from error
    if not _FIRST_US <= microseconds <= _LAST_US:
        raise Rejected("the time is outside the years 1 to 9999 in UTC", field=field)
    return microseconds


def check_not_ahead(microseconds: int, now_us: int, field: str) -> None:
    """Refuse a time more than five minutes ahead of the store's clock. Raises Rejected."""
    if microseconds - now_us > _MAX_AHEAD_US:
        mend = "check its unit and zone, and this machine's clock"
        raise Rejected("the time is more than 5 minutes ahead of the clock", field=field, mend=mend)

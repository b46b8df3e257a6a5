"""Random computations, out of the language's own grammar, and random histories to compute them from."""

from datetime import timedelta

from hypothesis import strategies as st

from tests.worker.features.computed.reference import Entry
from worker.features.port import Definition, Value

SECOND = 10**6
#: Times are whole seconds in a short span, so that ties, window edges and corrections are frequent.
SPAN_S = 12

INGESTED = {
    item.name: item
    for item in (
        Definition("n", "user", "number"),
        Definition("m", "user", "number", ttl=timedelta(seconds=5)),
        Definition("s", "user", "string"),
        Definition("b", "user", "boolean", ttl=timedelta(seconds=6)),
        Definition("v", "user", "vector"),
    )
}
BELOW = Definition(
    "below", "user", "number", source="computed", computation="n * 2 + coalesce(m, 1)", ttl=timedelta(seconds=4)
)

_windows = st.sampled_from(["", " over 1s", " over 3s", " over 5s"])
_numbers = st.sampled_from(["0", "1", "2.5", ".1", "1e9", "3e-7", "7"])


def _aggregate(functions: list[str], features: list[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda function, feature, window: f"{function}({feature}{window})",
        st.sampled_from(functions),
        st.sampled_from(features),
        _windows,
    )


def _call(name: str, *arguments: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*arguments).map(lambda given: f"{name}({', '.join(given)})")


def _between(
    left: st.SearchStrategy[str], operators: list[str], right: st.SearchStrategy[str]
) -> st.SearchStrategy[str]:
    return st.builds("({} {} {})".format, left, st.sampled_from(operators), right)


number = st.deferred(
    lambda: st.one_of(
        _numbers,
        st.sampled_from(["n", "m", "below"]),
        _aggregate(["sum", "mean", "min", "max", "std", "last", "first"], ["n", "m"]),
        _aggregate(["count"], ["n", "m", "s", "b", "v"]),
        _aggregate(["distinct"], ["n", "m", "s", "b"]),
        _between(number, ["+", "-", "*", "/", "%"], number),
        number.map("-{}".format),
        st.sampled_from(["abs", "exp", "log", "sqrt", "floor", "ceil", "round"]).flatmap(lambda f: _call(f, number)),
        st.sampled_from(["min", "max"]).flatmap(lambda f: _call(f, number, number)),
        _call("clip", number, number, number),
        _call("coalesce", number, number),
        _call("if", boolean, number, st.one_of(number, st.just("null"))),
    )
)
boolean = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["true", "false", "b", "(null and b)"]),
        _aggregate(["last", "first"], ["b"]),
        _between(number, ["<", "<=", ">", ">=", "==", "!="], number),
        _between(text, ["==", "!="], text),
        _between(boolean, ["and", "or", "==", "!="], boolean),
        boolean.map("(not {})".format),
        st.one_of(number, text, st.just("v")).map("({} is null)".format),
        number.map("({} is not null)".format),
    )
)
text = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["'x'", '"y"', "''", "s"]),
        _aggregate(["last", "first"], ["s"]),
        _call("coalesce", text, text),
        _call("if", boolean, text, text),
    )
)

VALUES: dict[str, st.SearchStrategy[Value]] = {
    "number": st.one_of(
        st.sampled_from([0.0, 0.1, 0.2, 1.0, -3.5, 1e16, -1e16]), st.floats(-1e6, 1e6).map(lambda x: x + 0.0)
    ),
    "string": st.sampled_from(["", "x", "y", "é"]),
    "boolean": st.booleans(),
    "vector": st.lists(st.floats(-2, 2), min_size=1, max_size=2),
}


@st.composite
def _entry(draw: st.DrawFn) -> Entry:
    definition = INGESTED[draw(st.sampled_from(sorted(INGESTED)))]
    event = draw(st.integers(0, SPAN_S))
    late = draw(st.one_of(st.just(0), st.integers(0, 6)))
    value = draw(
        st.one_of(st.none(), VALUES[definition.type]) if draw(st.integers(0, 4)) == 0 else VALUES[definition.type]
    )
    return Entry(draw(st.integers(0, 1)), definition.name, event * SECOND, (event + late) * SECOND, value)


#: The same observation twice is one, so it is there once.
histories = st.lists(
    _entry(), max_size=40, unique_by=lambda one: (one.entity, one.feature, one.event, one.known, repr(one.value))
)
#: (entity, time); entity 2 has no values.
spines = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, SPAN_S + 8).map(lambda s: s * SECOND)), min_size=1, max_size=6
)


def definition(kind: str, expressions: st.SearchStrategy[str]) -> st.SearchStrategy[Definition]:
    """Return computed features of a type; what a computation does not read itself is added without effect."""
    wrapped = "{0} + 0 * count(n)" if kind == "number" else "if(n is null, {0}, {0})"
    texts = expressions.filter(lambda text: len(text) < 600).map(wrapped.format)
    ttls = st.sampled_from([None, None, timedelta(seconds=3)])
    return st.builds(
        lambda text, ttl: Definition("wanted", "user", kind, source="computed", computation=text, ttl=ttl), texts, ttls
    )

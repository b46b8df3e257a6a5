from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engine import condition as engine
from worker.errors import Rejected
from worker.pipelines.cel import cel
from worker.pipelines.condition import Comparison, Joined, Literal, Node, Not, Reference, holds, parse_condition

#: What conditions of these tests refer to: name -> (type, values).
NAMES: dict[str, tuple[str, list[Any]]] = {
    "parameters.flag": ("boolean", [True, False]),
    "parameters.count": ("integer", [-3, 0, 1, 7]),
    "steps.a.outputs.share": ("number", [-0.5, 0.0, 1.0, 6.5]),
    "item.name": ("string", ["", "x", "it's", 'say "no"', "back\\slash", "line\nbreak", "{{x}}"]),
}
INPUTS = {name: (f"when_{number}", type_) for number, (name, (type_, _)) in enumerate(NAMES.items())}
DECLARED = {"boolean": "BOOLEAN", "integer": "NUMBER_INTEGER", "number": "NUMBER_DOUBLE", "string": "STRING"}


def _atoms() -> st.SearchStrategy[Node]:
    texts = [Reference("item.name"), *map(Literal, NAMES["item.name"][1])]
    numbers = [Reference("parameters.count"), Reference("steps.a.outputs.share"), *map(Literal, [0, 1, -2, 0.5, 6.5])]
    flags = [Reference("parameters.flag"), *map(Literal, [True, False])]
    equal = st.sampled_from(["==", "!="])
    return st.one_of(
        st.just(Reference("parameters.flag")),
        st.builds(Comparison, st.sampled_from(texts), equal, st.sampled_from(texts)),
        st.builds(Comparison, st.sampled_from(flags), equal, st.sampled_from(flags)),
        st.builds(
            Comparison,
            st.sampled_from(numbers),
            st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
            st.sampled_from(numbers),
        ),
    )


def _conditions() -> st.SearchStrategy[Node]:
    def more(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        terms = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.one_of(st.builds(Not, inner), st.builds(Joined, st.sampled_from(["and", "or"]), terms))

    return st.recursive(_atoms(), more, max_leaves=6)


@given(_conditions(), st.fixed_dictionaries({name: st.sampled_from(values) for name, (_, values) in NAMES.items()}))
def test_the_engine_agrees(node: Node, values: dict[str, Any]) -> None:
    """What a condition compiles to holds in the engine exactly when the condition itself does."""
    types: Any = {name: DECLARED[type_] for name, type_ in INPUTS.values()}

    compiled = engine.parse(cel(node, INPUTS), types, "condition")

    assert compiled.holds({INPUTS[name][0]: value for name, value in values.items()}) == holds(node, values)


@pytest.mark.parametrize(
    ("text", "compiled"),
    [
        ("${parameters.flag}", "inputs.parameter_values['when_0'] == true"),
        ("not ${parameters.flag}", "!(inputs.parameter_values['when_0'] == true)"),
        ("${parameters.count} >= 2", "int(inputs.parameter_values['when_1']) >= 2"),
        ("${parameters.count} >= 2.5", "double(int(inputs.parameter_values['when_1'])) >= 2.5"),
        ("1 < ${steps.a.outputs.share}", "double(1) < inputs.parameter_values['when_2']"),
        ('${item.name} != "it\'s"', "inputs.parameter_values['when_3'] != 'it\\'s'"),
        (
            "${parameters.flag} == false and (${item.name} == 'a' or ${item.name} == \"b\")",
            (
                "inputs.parameter_values['when_0'] == false && "
                "(inputs.parameter_values['when_3'] == 'a' || inputs.parameter_values['when_3'] == 'b')"
            ),
        ),
    ],
)
def test_what_it_compiles_to(text: str, compiled: str) -> None:
    """Conditions compile to the forms that the KFP SDK writes for `dsl.If`, integers and doubles told apart."""
    assert cel(parse_condition(text), INPUTS) == compiled


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${a} or ${b} and ${c}", True),
        ("(${a} or ${b}) and ${c}", False),
        ("not ${c} and ${a}", True),
        ("not (${c} or ${a})", False),
        ("not not ${a}", True),
        ("  ${ a }\n  and\n  not ${c}  ", True),
    ],
)
def test_what_binds_how(text: str, value: bool) -> None:  # noqa: FBT001 - a column of the table
    """`not` binds stronger than `and`, `and` stronger than `or`; brackets and line breaks are free."""
    assert holds(parse_condition(text), {"a": True, "b": True, "c": False}) is value


@given(st.text(alphabet="${}ab.()'\"\\ =<>!andortue01-", max_size=40))
def test_any_text(text: str) -> None:
    """Whatever stands there is read or refused with its mend."""
    mend = ""
    try:
        read = bool(parse_condition(text))
    except Rejected as error:
        read, mend = False, error.mend

    assert read or mend


def test_too_deep() -> None:
    """A condition that nests without end is refused."""
    with pytest.raises(Rejected):
        parse_condition("not " * 5000 + "${a}")
    with pytest.raises(Rejected):
        parse_condition("(" * 5000 + "${a}")

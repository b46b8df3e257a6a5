"""The language's form: what is in it, and how what is not is told."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.errors import Rejected
from worker.features.computed.nodes import Aggregate, Binary, Call, Feature, IsNull, Literal, Node, Unary, children
from worker.features.computed.parse import MAX_LENGTH, parse

DAY_US = 86_400_000_000


def written(node: Node) -> str:
    """Return a tree with all its parentheses."""
    match node:
        case Literal():
            return repr(node.value)
        case Feature():
            return node.name
        case Aggregate():
            return f"{node.function}[{node.feature.name}, {node.window_us}]"
        case Unary():
            return f"({node.operator} {written(node.operand)})"
        case Binary():
            return f"({written(node.left)} {node.operator} {written(node.right)})"
        case IsNull():
            return f"({written(node.operand)} {'is not' if node.negated else 'is'} null)"
        case Call():
            return f"{node.function}({', '.join(map(written, node.arguments))})"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("sum(engagement) / account_age", "(sum[engagement, None] / account_age)"),
        ("sum(engagement over 30d)", f"sum[engagement, {30 * DAY_US}]"),
        ("count( a\nover\t1us )", "count[a, 1]"),
        ("a + b * c - d", "((a + (b * c)) - d)"),
        ("a - b - c", "((a - b) - c)"),
        ("a / b / c % d", "(((a / b) / c) % d)"),
        ("(a - (b - c))", "(a - (b - c))"),
        ("-a * -b", "((- a) * (- b))"),
        ("--a", "(- (- a))"),
        ("a--b", "(a - (- b))"),
        ("a < b and not c = d or e", "(((a < b) and (not (c == d))) or e)"),
        ("not not a", "(not (not a))"),
        ("a <> b", "(a != b)"),
        ("a + b is null", "((a + b) is null)"),
        ("not a is not null", "(not (a is not null))"),
        ("(a < b) = true", "((a < b) == True)"),
        ("min(a)", "min[a, None]"),
        ("min(a, b)", "min(a, b)"),
        ("min(min(a), max(b over 1w), 3)", f"min(min[a, None], max[b, {7 * DAY_US}], 3.0)"),
        ('if(a, \'it\'\'s\', "say ""so""")', 'if(a, "it\'s", \'say "so"\')'),
        ("coalesce(a, null, false, '')", "coalesce(a, None, False, '')"),
        (".5 + 1. + 1.5e3 + 2E-1", "(((0.5 + 1.0) + 1500.0) + 0.2)"),
        ("sum + min", "(sum + min)"),
        ("`over` + `and`", "(over + and)"),
        ("sum(`not` over 1h)", f"sum[not, {DAY_US // 24}]"),
        ("android + nulls + overt", "((android + nulls) + overt)"),
    ],
)
def test_a_computation_is_read_as_it_is_meant(text: str, tree: str) -> None:
    """Precedence, associativity, literals, aggregates and names."""
    assert written(parse(text)) == tree


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("a +", "column 4", "ends too early"),
        ("sum(a", "column 6", "ends too early. Expected is one of `)`, `,`, `or`, `over`"),
        ("a b", "column 3", "'b' is not expected here"),
        ("a + * b", "column 5", "'*' is not expected here. Expected is a value"),
        ("a < b < c", "column 7", "'<' is not expected here"),
        ("a + not b", "column 5", "'not' is not expected here"),
        ("a == not b", "column 6", "'not' is not expected here"),
        ("and", "column 1", "'and' is not expected here"),
        ("()", "column 2", "')' is not expected here"),
        ("f(,)", "column 3", "',' is not expected here"),
        ("a $ b", "column 3", "'$' means nothing here"),
        ("a ** b", "column 4", "'*' is not expected here"),
        ("a; b", "column 2", "';' means nothing here"),
        ("ä", "column 1", "'ä' means nothing here"),
        ("a.b", "column 2", "'.' means nothing here"),
        ("'abc", "column 1", "this quote is never closed"),
        ("a = \"b'", "column 5", "this quote is never closed"),
        ("`over", "column 1", "this quote is never closed"),
        ("1e999", "column 1", "this number is too large"),
        ("1_000", "column 2", "'_000' is not expected here"),
        ("5m + a", "column 1", "'5m' is not expected here"),
        ("sum(a over 5)", "column 12", "'5' is not expected here. Expected is a duration such as 30d"),
        ("sum(a over 5y)", "column 12", "'5y' is not a duration"),
        ("sum(a over 1.5d)", "column 12", "'1.5' is not expected here"),
        ("sum(a over 0d)", "column 12", "a window of no length holds nothing"),
        ("sum(a over 99999999999999d)", "column 12", "is too long"),
        ("log(a over 3d)", "column 1", "'log' takes no window"),
        ("sum()", "column 1", "'sum' takes one feature, not 0"),
        ("sum(a, b)", "column 1", "'sum' takes one feature, not 2"),
        ("min()", "column 1", "'min' takes one feature, not 0"),
        ("sum(a + 1)", "column 7", "there is no sum of anything but a feature"),
        ("max(3)", "column 5", "there is no max of anything but a feature"),
        ("sum(max(a))", "column 5", "there is no sum of an aggregate"),
        ("mean(sum(a over 1d) over 7d)", "column 6", "there is no mean of an aggregate"),
        ("a\n  + $", "line 2, column 5", "'$' means nothing here"),
    ],
)
def test_what_is_not_in_the_language_is_told_with_its_place(text: str, place: str, what: str) -> None:
    """The error shows the line, a caret under the place, and what is wrong there."""
    with pytest.raises(Rejected) as caught:
        parse(text)
    assert caught.value.field == "computation"
    head, shown, caret = caught.value.reason.splitlines()
    assert head == f"at {place}"
    assert what in str(caught.value)
    column = int(place.rpartition(" ")[2])
    assert caret.startswith(f"    {' ' * (column - 1)}^ ")
    assert shown.strip() == text.splitlines()[-1].strip()


def test_a_long_line_is_shown_around_the_place() -> None:
    """Of a long text only the surroundings are shown, and the caret stands right."""
    with pytest.raises(Rejected) as caught:
        parse(f"{'a + ' * 90}$ {'+ a' * 90}")
    _, shown, caret = caught.value.reason.splitlines()
    assert len(shown) < 140
    assert shown[caret.index("^")] == "$"


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_nothing_is_no_computation(text: str) -> None:
    """An empty text is refused with an example."""
    with pytest.raises(Rejected, match="empty") as caught:
        parse(text)
    assert "account_age" in caught.value.mend


def test_length_and_depth_are_limited() -> None:
    """Exactly the limit is accepted, one more is refused."""
    parse("a".ljust(MAX_LENGTH))
    with pytest.raises(Rejected, match="at most 4096 characters, not 4097"):
        parse("a".ljust(MAX_LENGTH + 1))
    parse("-" * 99 + "a")
    with pytest.raises(Rejected, match="nested more than 100 deep"):
        parse("-" * 100 + "a")
    parse("+".join("a" * 100))
    with pytest.raises(Rejected, match="nested more than 100 deep"):
        parse("+".join("a" * 101))
    assert written(parse("(" * 2000 + "a" + ")" * 2000)) == "a"


_WORDS = st.sampled_from(
    [
        *("a", "sum", "if", "coalesce", "over", "30d", "5", "1e5", ".5", "'x'", '"', "'", "`", "\n", "é", "\0"),
        *("(", ")", "(", ")", ",", "+", "-", "*", "/", "%", "<", "<=", "==", "=", "!="),
        *("and", "or", "not", "is", "null", "true"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.text(max_size=MAX_LENGTH), st.lists(_WORDS, max_size=400).map(" ".join), st.lists(_WORDS).map("".join))
)
@example("(" * 4096)
@example("'" * 4095)
@example('"' + "''" * 2047)
@example("not " * 1024)
@example("1" * 4096)
@example("a" * 4096)
@example("a " * 2048)
@example("f(" * 2048)
@example("a is not null and " * 227)
@example("1e" * 2048)
@example("over " * 800)
def test_any_text_is_a_computation_or_refused(text: str) -> None:
    """Whatever the text, there is a tree within the limits or an error with its field, and nothing else."""
    try:
        tree = parse(text)
    except Rejected as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert refused.field == "computation"
        return
    level, depth = [tree], 0
    while level:
        level, depth = [child for node in level for child in children(node)], depth + 1
    assert depth <= 101  # an aggregate holds its feature one level below

"""A condition in CEL, the language of a compiled pipeline's conditions, in the forms that the KFP SDK writes; pure.

Numbers are compared as doubles unless all are whole: CEL compares an integer with a double as little as with a text.
"""

from collections.abc import Mapping

from worker.pipelines.condition import Comparison, Joined, Literal, Node, Not, Reference

_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_SIGNS = {"and": " && ", "or": " || "}


def cel(node: Node, inputs: Mapping[str, tuple[str, str]]) -> str:
    """Return the expression.

    Args:
        node: a condition, its kinds checked.
        inputs: what it refers to -> the task's input parameter that has it, and its type's word.
    """
    match node:
        case Comparison(left, sign, right):
            exact = all(_is_whole(side, inputs) for side in (left, right))
            return f"{_operand(left, inputs, exact=exact)} {sign} {_operand(right, inputs, exact=exact)}"
        case Not(term):
            return f"!({cel(term, inputs)})"
        case Joined(word, terms):
            return _SIGNS[word].join(
                f"({cel(term, inputs)})" if isinstance(term, Joined) else cel(term, inputs) for term in terms
            )
        case _:
            return f"{_operand(node, inputs, exact=True)} == true"


def _is_whole(side: Reference | Literal, inputs: Mapping[str, tuple[str, str]]) -> bool:
    if isinstance(side, Reference):
        return inputs[side.text][1] != "number"
    return not isinstance(side.value, float)


def _operand(side: Reference | Literal, inputs: Mapping[str, tuple[str, str]], *, exact: bool) -> str:
    if isinstance(side, Literal):
        return _literal(side.value, exact=exact)
    name, word = inputs[side.text]
    value = f"inputs.parameter_values['{name}']"
    if word != "integer":
        return value
    # Every number comes as a double; one that is declared as an integer is one.
    return f"int({value})" if exact else f"double(int({value}))"


def _literal(value: str | float, *, exact: bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value.translate(_ESCAPES)}'"
    return str(value) if exact or isinstance(value, float) else f"double({value})"

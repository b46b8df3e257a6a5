"""The functions of the language: how many arguments each takes and of what type; how they compute is in `cells`."""

from dataclasses import dataclass

NUMBER, STRING, BOOLEAN, VECTOR, NULL = "number", "string", "boolean", "vector", "null"


@dataclass(frozen=True)
class Function:
    """A function of numbers that gives a number; `most` is None for any number of arguments."""

    least: int
    most: int | None


#: All take numbers and give a number. `if` and `coalesce` take any type and are checked by themselves.
NUMERIC = {
    "abs": Function(1, 1),
    "ceil": Function(1, 1),
    "clip": Function(3, 3),
    "exp": Function(1, 1),
    "floor": Function(1, 1),
    "log": Function(1, 1),
    "max": Function(2, None),
    "min": Function(2, None),
    "round": Function(1, 1),
    "sqrt": Function(1, 1),
}
ANY = {"if": Function(3, 3), "coalesce": Function(2, None)}
SCALAR = NUMERIC | ANY

#: Aggregate -> the types of a feature that it takes; what it gives is a number, or the feature's own type.
AGGREGATES = {
    "sum": (NUMBER,),
    "count": (NUMBER, STRING, BOOLEAN, VECTOR),
    "mean": (NUMBER,),
    "min": (NUMBER,),
    "max": (NUMBER,),
    "std": (NUMBER,),
    "last": (NUMBER, STRING, BOOLEAN, VECTOR),
    "first": (NUMBER, STRING, BOOLEAN, VECTOR),
    "distinct": (NUMBER, STRING, BOOLEAN),
}
OWN_TYPE = ("last", "first")

#: With one argument an aggregate, with more a function.
BOTH = ("min", "max")

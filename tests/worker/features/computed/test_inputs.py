"""Which features a computation reads, and in what order to define them."""

import pytest

from worker.errors import Rejected
from worker.features.computed.inputs import closure, in_order, inputs_of, users_of
from worker.features.port import Definition


def computed(name: str, computation: str) -> Definition:
    """Return a computed feature."""
    return Definition(name, "user", "number", source="computed", computation=computation)


A, B = Definition("a", "user", "number"), Definition("b", "user", "number")
C, D = computed("c", "sum(a) / b"), computed("d", "c + b")


def test_inputs_are_named_once_each_in_order() -> None:
    """Bare features, aggregates, and those deep inside functions."""
    assert inputs_of("sum(b over 1d) + if(a is null, -b, max(a, c, 1))") == ("b", "a", "c")
    assert inputs_of("1 + 1") == ()
    with pytest.raises(Rejected):
        inputs_of("sum(")


def test_users_are_those_that_read_a_feature_themselves() -> None:
    """What stands against deleting a feature, by name."""
    assert users_of("b", [D, C, B, A]) == ["c", "d"]
    assert users_of("a", [D, C, B, A]) == ["c"]
    assert users_of("d", [D, C, B, A]) == []


def test_a_closure_holds_all_that_is_needed() -> None:
    """Through computed features down to the ingested ones, once each; what is not defined is left out."""
    known = {item.name: item for item in (A, B, C, D)}
    assert closure(["d"], known) == ["d", "c", "a", "b"]
    assert closure(["b", "c", "zzz"], known) == ["b", "c", "a"]


def test_definitions_are_ordered_by_what_they_read() -> None:
    """Each comes after what it reads, wherever it stood; what is not among them does not matter."""
    assert in_order([D, C, A, B]) == [A, B, C, D]
    assert in_order([D, C]) == [C, D]
    broken = computed("broken", "sum(")
    assert in_order([broken, D, B]) == [broken, B, D]


def test_a_cycle_among_new_definitions_is_told_with_its_path() -> None:
    """The path goes round once, and says where to cut it."""
    with pytest.raises(Rejected, match="c → e → d → c") as caught:
        in_order([A, computed("c", "e"), D, computed("e", "d + a")])
    assert caught.value.mend == "take e out of the computation of c"


def test_a_very_long_chain_is_refused_in_any_order() -> None:
    """Hundreds of features on each other are an error, not a crash."""
    chain = [computed(f"x{number}", f"x{number + 1}") for number in range(2000)]
    for definitions in (chain, chain[::-1]):
        with pytest.raises(Rejected, match="more than 16"):
            in_order(definitions)

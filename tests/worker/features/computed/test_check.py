"""What is refused when a computed feature is defined, or a feature that others read is changed."""

from datetime import timedelta

import pytest

from worker.errors import Conflict, Rejected
from worker.features.computed.check import MAX_INPUTS, check
from worker.features.computed.inputs import MAX_CHAIN
from worker.features.port import Definition


def feature(name: str, kind: str = "number", computation: str | None = None, **more: object) -> Definition:
    """Return a feature of a user, computed if there is a computation."""
    source = "ingested" if computation is None else "computed"
    return Definition(**{"entity": "user", "type": kind, **more}, name=name, source=source, computation=computation)


STANDING = {
    item.name: item
    for item in (
        feature("engagement"),
        feature("account_age"),
        feature("nick", "string"),
        feature("staff", "boolean"),
        feature("face", "vector"),
        feature("mood", ttl=timedelta(days=7)),
        feature("rate", computation="sum(engagement) / account_age"),
        feature("likes", entity="content"),
    )
}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("number", "sum(engagement) / account_age"),
        ("number", "rate * 2 + count(face) + distinct(nick) + count(staff over 1d) - last(mood over 7d)"),
        ("number", "if(staff and nick != 'x', clip(mood, 0, 1), null)"),
        ("number", "min(engagement, 3, mood) + max(engagement) + std(engagement over 1d)"),
        ("string", "coalesce(nick, 'nobody')"),
        ("string", "if(engagement > 3, 'much', if(engagement is null, null, 'little'))"),
        ("string", "first(nick)"),
        ("boolean", "staff or not (account_age <= 1e3) and staff == last(staff)"),
        ("boolean", "face is not null"),
        ("boolean", "null and staff"),
        ("vector", "coalesce(face, last(face), first(face over 1h))"),
        ("number", "null + engagement"),
        ("number", "abs(-engagement) % 2 - ceil(engagement) + floor(log(exp(sqrt(round(engagement)))))"),
    ],
)
def test_what_fits_is_accepted(kind: str, text: str) -> None:
    """Each type, by each kind of expression."""
    check(feature("wanted", kind, text), STANDING)


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ("engagment + 1", 1, "the feature 'engagment' is not defined. Did you mean engagement?"),
        ("1 + zzz", 5, "the feature 'zzz' is not defined. Features of user are: account_age, engagement, face"),
        ("sum(zzz)", 5, "the feature 'zzz' is not defined"),
        ("likes + 1", 1, "'likes' is a feature of 'content', and this one is of 'user'. Compute it for 'content'"),
        ("sum(likes)", 5, "'likes' is a feature of 'content'"),
        ("engagement + nick", 14, "this is a string, and `+` takes a number"),
        ("staff * 2 + engagement", 1, "this is a boolean, and `*` takes a number"),
        ("-nick", 2, "this is a string, and `-` takes a number"),
        ("not engagement", 5, "this is a number, and `not` takes a boolean"),
        ("staff and engagement", 11, "this is a number, and `and` takes a boolean"),
        ("nick < 'x'", 1, "this is a string, and `<` takes a number"),
        ("staff >= true", 1, "this is a boolean, and `>=` takes a number"),
        ("nick == 1", 6, "a string never equals a number"),
        ("staff != 'true'", 7, "a boolean never equals a string"),
        ("nick == null", 6, "nothing equals null, not even null. Write `is null` or `is not null`"),
        ("face == face", 6, "vectors are not compared"),
        ("face + 1", 1, "this is a vector, and `+` takes a number"),
        ("sum(nick)", 5, "'nick' is a string, and `sum` takes a number"),
        ("mean(staff over 1d)", 6, "'staff' is a boolean, and `mean` takes a number"),
        ("distinct(face)", 10, "'face' is a vector, and `distinct` takes a number or string or boolean"),
        ("min(nick)", 5, "'nick' is a string, and `min` takes a number"),
        ("min(nick, 'x')", 5, "this is a string, and `min` takes a number"),
        ("sum(rate)", 5, "'rate' is computed and has no history of its own. Take the sum of what it is computed from"),
        ("last(rate over 1d)", 6, "'rate' is computed and has no history"),
        ("sum(mood over 8d)", 1, "'mood' expires after 7d, before this window ends. Shorten the window"),
        ("lgo(engagement)", 1, "there is no function 'lgo'. Did you mean log?"),
        ("eval(engagement)", 1, "there is no function 'eval'"),
        ("__import__(nick)", 1, "there is no function '__import__'"),
        ("zzz(engagement)", 1, "there is no function 'zzz'. Functions are: abs, ceil, clip, coalesce, count"),
        ("Sum(engagement)", 1, "there is no function 'Sum'. Did you mean sum?"),
        ("abs(engagement, 2)", 1, "`abs` takes 1 value, not 2"),
        ("log() + engagement", 1, "`log` takes 1 value, not 0"),
        ("clip(engagement, 1)", 1, "`clip` takes 3 values, not 2"),
        ("coalesce(engagement)", 1, "`coalesce` takes 2 or more values, not 1"),
        ("if(staff, 1)", 1, "`if` takes 3 values, not 2"),
        ("if(engagement, 1, 2)", 4, "this is a number, and the condition of `if` takes a boolean"),
        ("if(staff, 1, 'x')", 14, "this is a string, and the other value of `if` is a number"),
        ("coalesce(nick, null, 1)", 22, "this is a number, and the other value of `coalesce` is a string"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(text: str, column: int, what: str) -> None:
    """Names, entities, types and counts of arguments, each with a caret under the very place."""
    with pytest.raises(Rejected) as caught:
        check(feature("wanted", "number", text), STANDING)
    assert caught.value.field == "computation"
    assert caught.value.reason.splitlines()[0] == f"at column {column}"
    assert what in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "text", "field", "what"),
    [
        ("string", "engagement", "type", "the computation is a number, and the feature is declared as a string"),
        ("number", "engagement > 1", "type", "the computation is a boolean, and the feature is declared as a number"),
        ("number", "if(staff, null, null)", "type", "the computation is always null"),
        ("number", "1 + 1", "computation", "the computation reads no feature"),
        ("number", "null", "computation", "the computation reads no feature"),
    ],
)
def test_the_result_must_be_what_is_declared(kind: str, text: str, field: str, what: str) -> None:
    """The type of the whole is compared with the declared type, and something must be read."""
    with pytest.raises(Rejected) as caught:
        check(feature("wanted", kind, text), STANDING)
    assert caught.value.field == field
    assert what in str(caught.value)
    assert caught.value.mend


def test_a_computation_reads_a_limited_number_of_features() -> None:
    """64 features are accepted, 65 are not."""
    many = {f"f{number}": feature(f"f{number}") for number in range(MAX_INPUTS + 1)}
    names = sorted(many)
    check(feature("wanted", "number", " + ".join(names[:MAX_INPUTS])), many)
    with pytest.raises(Rejected, match="reads 65 features; 64 is the most"):
        check(feature("wanted", "number", " + ".join(names)), many)


def test_computed_features_stand_on_each_other_a_limited_number_of_times() -> None:
    """Sixteen are accepted, however often each is read, and the next is not."""
    standing = {"c0": feature("c0"), "d0": feature("d0")}
    for level in range(1, MAX_CHAIN + 1):
        for name in ("c", "d"):
            item = feature(f"{name}{level}", "number", f"c{level - 1} + d{level - 1}")
            check(item, standing)
            standing[item.name] = item
    with pytest.raises(Rejected, match="more than 16 computed features"):
        check(feature("wanted", "number", "c16"), standing)
    with pytest.raises(Conflict, match="more than 16 computed features"):
        check(feature("c0", "number", "e"), {**standing, "e": feature("e")})


class TestCycles:
    """A feature cannot stand on itself; the error shows the way round."""

    def test_on_itself(self) -> None:
        """The shortest way round."""
        with pytest.raises(Rejected, match="rate → rate"):
            check(feature("rate", "number", "rate + 1"), STANDING)

    def test_through_others(self) -> None:
        """A longer one."""
        standing = {**STANDING, "b": feature("b", "number", "rate + 1"), "c": feature("c", "number", "b + engagement")}
        with pytest.raises(Rejected, match="rate → c → b → rate") as caught:
            check(feature("rate", "number", "account_age + c"), standing)
        assert caught.value.field == "computation"

    def test_by_an_ingested_one_that_becomes_computed(self) -> None:
        """What stands on a feature cannot be put under it."""
        with pytest.raises(Rejected, match="engagement → rate → engagement"):
            check(feature("engagement", "number", "rate"), STANDING)


class TestChangesOfInputs:
    """What is computed from a feature must stay right when that changes."""

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            (feature("engagement", "string"), "'engagement' is a string, and `sum` takes a number"),
            (feature("engagement", entity="content"), "'engagement' is a feature of 'content'"),
            (feature("engagement", "number", "mood"), "'engagement' is computed and has no history"),
        ],
    )
    def test_one_that_breaks_a_computation_is_refused(self, change: Definition, what: str) -> None:
        """The error names the computed feature and shows what would be wrong in it."""
        with pytest.raises(Conflict, match="'engagement' cannot be changed so, because 'rate' is computed") as caught:
            check(change, STANDING)
        assert what in str(caught.value)

    def test_a_ttl_shorter_than_a_window_is_refused(self) -> None:
        """A window would silently hold less than it says."""
        standing = {**STANDING, "m7": feature("m7", "number", "mean(mood over 7d)")}
        check(feature("mood", ttl=timedelta(days=7)), standing)
        with pytest.raises(Conflict, match="'m7' is computed from it"):
            check(feature("mood", ttl=timedelta(days=7, microseconds=-1)), standing)

    def test_a_computed_feature_cannot_change_its_type_under_another(self) -> None:
        """It is the same for a computed input."""
        standing = {**STANDING, "twice": feature("twice", "number", "rate * 2")}
        with pytest.raises(Conflict, match="'twice' is computed from it"):
            check(feature("rate", "boolean", "engagement > 1"), standing)

    def test_one_that_breaks_nothing_is_accepted(self) -> None:
        """A description, a longer ttl, another computation of the same type."""
        check(feature("engagement", ttl=timedelta(days=1), description="how much"), STANDING)
        check(feature("rate", "number", "engagement"), STANDING)
        check(feature("likes", "string", entity="content"), STANDING)

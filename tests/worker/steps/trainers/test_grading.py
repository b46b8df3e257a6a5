import pytest

from worker.errors import Rejected
from worker.generation import Case, Limits
from worker.steps.trainers.chat import Answer
from worker.steps.trainers.grading import check_schemas, grade, graded, similarity, within

SCHEMA = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}


@pytest.mark.parametrize(
    ("reference", "text", "expected"),
    [
        ("a b c d", "a b c d", 1.0),
        ("A, b; c. D!", "a b c d", 1.0),
        ("a b c d", "a x c y", 0.5),
        ("a b", "c d", 0.0),
        ("a b c", "", 0.0),
        ("", "", 1.0),
        ("a b c d", "d c b a", 0.25),
    ],
)
def test_similarity_is_the_longest_common_subsequence(reference: str, text: str, expected: float) -> None:
    """ROUGE-L: the F1 of the words that both have in the same order, case and punctuation aside."""
    assert similarity(reference, text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("metric", "case", "text", "expected"),
    [
        ("exact_match", Case(prompt="?", reference="Ottawa"), " Ottawa\n", 1.0),
        ("exact_match", Case(prompt="?", reference="Ottawa"), "ottawa", 0.0),
        ("pattern_match", Case(prompt="?", pattern=r"\b\d{4}\b"), "in 1608", 1.0),
        ("pattern_match", Case(prompt="?", pattern=r"^\d{4}$"), "in 1608", 0.0),
        ("schema_valid", Case(prompt="?", schema=SCHEMA), '{"city": "Laval"}', 1.0),
        ("schema_valid", Case(prompt="?", schema=SCHEMA), '{"city": 5}', 0.0),
        ("schema_valid", Case(prompt="?", schema=SCHEMA), "Laval", 0.0),
    ],
)
def test_each_metric_scores_one_answer(metric: str, case: Case, text: str, expected: float) -> None:
    """An answer that is right scores 1, one that is wrong 0."""
    assert grade(metric, case, text) == expected


def test_broken_schema_is_named() -> None:
    """A schema that is none is told before anything is asked, with its prompt's id."""
    with pytest.raises(Rejected, match=r"prompts\.p7\.schema"):
        check_schemas([Case(id="p7", prompt="?", schema={"type": "nonsense"})])


def test_schema_fetches_nothing() -> None:
    """A schema that refers to another place is refused, not followed."""
    case = Case(prompt="?", schema={"$ref": "http://127.0.0.1:9/schema.json"})

    with pytest.raises(Rejected, match="refers elsewhere"):
        grade("schema_valid", case, "{}")


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        (Limits(), True),
        (Limits(max_characters=5), True),
        (Limits(max_characters=4), False),
        (Limits(max_tokens=2), False),
        (Limits(max_cost_usd=0.001), False),
        (Limits(max_seconds=0.5), True),
        (Limits(max_seconds=0.1), False),
    ],
)
def test_limits_hold_for_each_answer(limits: Limits, *, kept: bool) -> None:
    """An answer must keep every limit that is set."""
    assert within(limits, Answer("abcde", 3, 3, 0.2, 1), 0.002) is kept


def test_unknown_cost_keeps_no_limit() -> None:
    """Where a price is not known, a limit on it is not kept: nothing is assumed in its favour."""
    assert not within(Limits(max_cost_usd=1.0), Answer("a", None, None, 0.1, 1), None)


@pytest.mark.parametrize(("text", "expected"), [("7", 0.7), ("Grade: 10", 1.0), ("8.5/10", 0.85), ("0", 0.0)])
def test_judges_grade_is_read(text: str, expected: float) -> None:
    """The first number from 0 to 10 in a judge's answer is the grade."""
    assert graded(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["good", "", "11", "-3"])
def test_judge_without_grade_is_told(text: str) -> None:
    """A judge that does not grade is an error, not a score."""
    with pytest.raises(Rejected, match="no grade"):
        graded(text)

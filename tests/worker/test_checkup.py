import pytest

from worker.checkup import Doubt, Finding, Severity, finding
from worker.cli.doctor import exit_code
from worker.errors import Conflict, NotFound, Rejected, TryLater


def raising(error: Exception) -> None:
    """Raise it."""
    raise error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Rejected("is gone", field="topic", mend="make it"), (Severity.WRONG, "topic: is gone", "make it")),
        (NotFound("no view"), (Severity.WRONG, "no view", "")),
        (Conflict("another has it"), (Severity.WRONG, "another has it", "")),
        (TryLater("is away"), (Severity.AWAY, "is away", "")),
        (KeyError("x"), (Severity.BROKEN, "KeyError: 'x'", "")),
    ],
)
def test_what_a_check_raises_is_a_finding(error: Exception, expected: tuple[Severity, str, str]) -> None:
    """The kind of error is the severity, and the mend stands apart."""
    assert finding("part", lambda: raising(error)) == Finding("part", *expected)


def test_what_a_check_answers_is_a_finding() -> None:
    """Words are told, nothing means that it works, and a doubt is a warning with its mend."""
    assert finding("part", lambda: "3 of them") == Finding("part", Severity.OK, "3 of them")
    assert finding("part", lambda: None) == Finding("part", Severity.OK, "works")
    assert finding("part", lambda: Doubt("expires", "renew it")) == Finding(
        "part", Severity.WARNING, "expires", "renew it"
    )


@pytest.mark.parametrize(
    ("severities", "strict", "code"),
    [
        ([], False, 0),
        (["ok", "warning"], False, 0),
        (["ok", "warning"], True, 2),
        (["away", "warning"], False, 3),
        (["away", "wrong"], False, 2),
        (["away", "wrong", "broken"], False, 1),
    ],
)
def test_the_worst_finding_decides_the_exit_code(severities: list[str], strict: bool, code: int) -> None:  # noqa: FBT001
    """0 with warnings at most, 3 where waiting may help, 2 where a person has to act, 1 where a check broke."""
    found = [Finding("part", Severity(severity), "") for severity in severities]

    assert exit_code(found, strict=strict) == code

"""What a check-up finds: each check's answer or fault as a finding, with its severity and the command that mends it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from worker.errors import ColonyError, Conflict, NotFound, Rejected


class Severity(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    #: It works, and something about it will hurt one day.
    WARNING = "warning"
    #: It may work again by itself.
    AWAY = "away"
    #: A person has to mend it.
    WRONG = "wrong"
    #: The check itself failed in a way that nobody expected.
    BROKEN = "broken"


@dataclass(frozen=True)
class Doubt:
    """A check's answer for what works but should not stay so.

    Attributes:
        mend: the command that changes it.
    """

    reason: str
    mend: str = ""


#: Returns what it found in words (None: it works), or a doubt; raises what is wrong.
Check = Callable[[], str | Doubt | None]


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    part: str
    severity: Severity
    detail: str
    mend: str = ""


def finding(part: str, check: Check) -> Finding:
    """Make a check and say what it found, whatever it raises."""
    try:
        answer = check()
    except Rejected as error:
        where = f"{error.field}: " if error.field else ""
        return Finding(part, Severity.WRONG, f"{where}{error.reason}", error.mend)
    except (NotFound, Conflict) as error:
        return Finding(part, Severity.WRONG, str(error))
    except ColonyError as error:
        return Finding(part, Severity.AWAY, str(error))
    except Exception as error:  # noqa: BLE001 - a doctor tells what is wrong, whatever it is
        return Finding(part, Severity.BROKEN, f"{type(error).__name__}: {error}")
    if isinstance(answer, Doubt):
        return Finding(part, Severity.WARNING, answer.reason, answer.mend)
    return Finding(part, Severity.OK, answer or "works")

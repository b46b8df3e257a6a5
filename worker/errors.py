"""The one tree of expected errors; its types decide the verdict (ack, retry, dead letter) and the HTTP status."""


class ColonyError(Exception):
    """Base of every error that this system raises on purpose."""


class Rejected(ColonyError):
    """Input that will never be accepted: dead letter, HTTP 4xx, exit code 2.

    Attributes:
        field: the path of the offending field, as the sender knows it (`data.beeId`).
        mend: what to do about it, as an instruction.
    """

    def __init__(self, reason: str, *, field: str = "", mend: str = "") -> None:
        """Keep the parts, and join them into one readable sentence."""
        self.reason = reason
        self.field = field
        self.mend = mend
        text = f"{field}: {reason}" if field else reason
        super().__init__(f"{text}. {mend[0].upper()}{mend[1:]}" if mend else text)


class TryLater(ColonyError):
    """A transient fault (database busy, disk full, service unavailable): retry with back-off, HTTP 503."""


class NotFound(ColonyError):
    """The named thing does not exist: HTTP 404.

    Attributes:
        field: what names it, as the asker knows it (`runId`, `beeId`), where that is known.
    """

    def __init__(self, reason: str, *, field: str = "") -> None:
        """Keep the parts."""
        super().__init__(reason)
        self.field = field


class Conflict(ColonyError):
    """The change collides with what is already there: HTTP 409."""


class LeaseLost(ColonyError):
    """Another process took over what this one was working on; stop at once and write nothing more."""

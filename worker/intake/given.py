"""A subscription for messages that nobody pulls: they are handed over one by one, and the answer is the call's own."""

from collections.abc import Sequence

from worker.intake.port import Message


class Given:
    """Has nothing to pull; whoever hands a message over hears what became of it."""

    def pull(self, limit: int, wait_s: float) -> Sequence[Message]:  # noqa: ARG002 the port's signature
        """Nothing is pulled."""
        return ()

    def ack(self, messages: Sequence[Message]) -> None:
        """The answer says so."""

    def retry(self, messages: Sequence[Message], after_s: float = 0.0) -> None:
        """The answer says so."""

    def dead_letter(self, message: Message, reason: str) -> None:
        """The ledger has kept it: `colony dead-letters`."""

    def exhausted(self) -> bool:
        """Nobody waits for its end."""
        return False

    def verify(self) -> None:
        """There is nothing to call."""

    def close(self) -> None:
        """There is nothing to close."""

"""What the serving of predictions tells of itself, to whoever counts it."""

from typing import Protocol


class Told(Protocol):
    """Counts what happened; every method may be called from any thread, and none fails."""

    def logged(self, bee: str, count: int) -> None:
        """Hear that so many predictions are in the feature store."""
        ...

    def unlogged(self, bee: str, reason: str, count: int) -> None:
        """Hear that so many predictions will never be there: `noEntity`, `full`, `refused` or `shutdown`."""
        ...

    def shadowed(self, bee: str, version: str, count: int, *, failed: bool) -> None:
        """Hear that a version was asked beside the answer, and whether it could say anything."""
        ...

    def stood_in(self, bee: str, version: str, reason: str) -> None:
        """Hear that the champion answered instead of a version: `notLoaded` or `failed`."""
        ...

    def failed(self, loop: str) -> None:
        """Hear of a loop's fault."""
        ...


class Silent:
    """Counts nothing."""

    def logged(self, bee: str, count: int) -> None:
        """Do nothing."""

    def unlogged(self, bee: str, reason: str, count: int) -> None:
        """Do nothing."""

    def shadowed(self, bee: str, version: str, count: int, *, failed: bool) -> None:
        """Do nothing."""

    def stood_in(self, bee: str, version: str, reason: str) -> None:
        """Do nothing."""

    def failed(self, loop: str) -> None:
        """Do nothing."""

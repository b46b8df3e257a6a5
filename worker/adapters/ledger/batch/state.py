"""What a batch keeps in memory: rows to write and values by key, each change of which can be undone."""

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from worker.ledger import NotInBatch

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Part = TypeVar("Part")


def only_own(part: type[Part]) -> type[Part]:
    """Let a part of a batch offer what it defines; what it inherits knows nothing of what is yet to be written."""
    for name in dir(part):
        if not name.startswith("_") and name not in vars(part):
            setattr(part, name, _elsewhere(f"{part.__name__}.{name}"))
    return part


def _elsewhere(name: str) -> Callable[..., None]:
    def refuse(*_arguments: object, **_named: object) -> None:
        raise NotInBatch(name)

    return refuse


class Undo:
    """The way back to where the last savepoint was."""

    def __init__(self) -> None:
        """Begin with nothing to undo."""
        self._steps: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def note(self, step: Callable[..., object], *arguments: Any) -> None:
        """Keep how to take back what is about to be done."""
        self._steps.append((step, arguments))

    def __enter__(self) -> None:
        """Let stand what was done until here."""
        self._steps.clear()

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        """Take back what was done inside if it failed."""
        if kind is not None:
            self.back()

    def clear(self) -> None:
        """Let stand what was done."""
        self._steps.clear()

    def back(self) -> None:
        """Take back what was done since, the newest first."""
        while self._steps:
            step, arguments = self._steps.pop()
            step(*arguments)


class Rows:
    """Rows to be inserted, in order."""

    def __init__(self, undo: Undo) -> None:
        """Begin empty."""
        self._undo = undo
        self.rows: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> None:
        """Append a row."""
        self._undo.note(self.rows.pop)
        self.rows.append(row)


class Store(Generic[Key, Value]):
    """Values by key: read from the ledger when first asked for, `dirty` where they were changed since."""

    def __init__(self, undo: Undo, read: Callable[[Key], Value]) -> None:
        """`read` asks the ledger for a key that is not here yet."""
        self._undo = undo
        self._read = read
        self._values: dict[Key, Value] = {}
        self.dirty: dict[Key, Value] = {}

    def load(self, key: Key, value: Value) -> None:
        """Keep what the ledger says."""
        self._values[key] = value

    def get(self, key: Key) -> Value:
        """Return the value as it is by now."""
        try:
            return self._values[key]
        except KeyError:
            found = self._values[key] = self._read(key)
            return found

    def put(self, key: Key, value: Value) -> None:
        """Change a value, to be written at the end."""
        self._undo.note(self._restore, key, self.get(key), key in self.dirty)
        self._values[key] = self.dirty[key] = value

    def _restore(self, key: Key, before: Value, was_dirty: bool) -> None:  # noqa: FBT001 - called by `Undo` alone
        self._values[key] = before
        if was_dirty:
            self.dirty[key] = before
        else:
            del self.dirty[key]

"""A worker that dies at a chosen moment: before or after any one of its transactions and calls, and stays dead."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from worker.models.project import Projector


class Killed(BaseException):
    """The process is gone."""


class Fate:
    """Counts what a worker does to the outside, and ends it at one of these moments (0: never)."""

    def __init__(self, at: int = 0) -> None:
        """`at` counts from 1, each deed twice: the moment before it, and the one after."""
        self._at = at
        self.moments = 0

    def moment(self) -> None:
        """Die, if it is time; who is dead stays so."""
        self.moments += 1
        if self._at and self.moments >= self._at:
            raise Killed

    def meets(self, deed: Callable[..., Any]) -> Callable[..., Any]:
        """Return the deed between two moments."""

        def done(*arguments: Any, **named: Any) -> Any:
            self.moment()
            answer = deed(*arguments, **named)
            self.moment()
            return answer

        return done


class _Ledger:
    def __init__(self, ledger: Any, fate: Fate) -> None:
        self._ledger = ledger
        self._fate = fate

    @contextmanager
    def begin(self, *, write: bool = True) -> Iterator[Any]:
        self._fate.moment()
        with self._ledger.begin(write=write) as transaction:
            yield transaction
        self._fate.moment()


class _Registry:
    def __init__(self, registry: Any, fate: Fate) -> None:
        self._registry = registry
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        return self._fate.meets(getattr(self._registry, name))


def mortal(worker: Projector, fate: Fate) -> Projector:
    """Return the worker with a fate; its lease is over at once, as those of the dead are after some time."""
    return Projector(
        _Ledger(worker.ledger, fate),
        _Registry(worker.registry, fate),
        worker.clock,
        worker.owner,
        worker.rules,
        lease_s=0.0,
    )

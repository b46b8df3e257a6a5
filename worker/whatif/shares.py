"""A recording taken by several processes, each with a share of the bees: possible where no bee minds another."""

from dataclasses import dataclass, field
from zlib import crc32

import msgspec

from worker.intake.quick import QuickEvent


@dataclass(frozen=True)
class Share:
    """The bees of one process; which they are depends on nothing but their names."""

    number: int
    of: int
    _known: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)

    @property
    def first(self) -> bool:
        """Whether it is the share that counts what names no bee."""
        return self.number == 0

    def __contains__(self, bee: object) -> bool:
        """Tell whether a bee belongs to it."""
        name = str(bee)
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = crc32(name.encode("utf-8", "surrogatepass")) % self.of == self.number
        return found


class _Named(msgspec.Struct, gc=False):
    beeId: str  # noqa: N815 - the event's own name


_DECODE = msgspec.json.Decoder(_Named).decode


def bee_named(event: QuickEvent) -> str | None:
    """Return the bee that an event names; None if that takes a closer look."""
    try:
        return _DECODE(event.text).beeId
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None

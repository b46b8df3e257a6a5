"""A feature in one period, kept in a few kilobytes: counts, a t-digest of its numbers, a HyperLogLog, top values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from worker.errors import Rejected

#: A profile as it is kept: its top values are the longest part of it.
MAX_PROFILE = 262_144
#: What the period of a training snapshot begins with.
SNAPSHOT = "snapshot:"


@dataclass(frozen=True)
class Profile:
    """One feature, one period.

    Attributes:
        period: what it is of: a window's id, or `snapshot:` and the id of a training snapshot.
        rows, known: values that came in, and those of them that are not NULL.
        entities, seen: how many entities have a value, and how many were seen by any feature of the same entity.
        newest: the newest event.
        digest: t-digest of the numbers (a vector's is its length); empty for other types.
        distinct: HyperLogLog of the values.
        top: text of the most frequent values -> rows; `whole`: there are no others.
        sorts: how many different categories there were; 0 for numbers.
    """

    feature: str
    type: str
    period: str
    start: datetime
    end: datetime
    rows: int
    known: int
    entities: int
    seen: int
    newest: datetime | None = None
    digest: bytes = b""
    distinct: bytes = b""
    top: Mapping[str, int] = field(default_factory=dict)
    whole: bool = True
    sorts: int = 0

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers, or counted as such."""
        return self.type in {"number", "vector"}


def encoded(profile: Profile) -> bytes:
    """Return a profile as bytes."""
    return msgspec.msgpack.encode(profile)


def decoded(kept: bytes) -> Profile:
    """Return what was kept. Raises Rejected if it is no profile; its sketches are looked at when they are needed."""
    if len(kept) > MAX_PROFILE:
        raise corrupt(f"{len(kept):,} bytes, more than any profile has")
    try:
        return _DECODE(kept)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError, OverflowError) as error:
        raise corrupt(str(error)) from error


_DECODE = msgspec.msgpack.Decoder(Profile).decode


def corrupt(reason: str) -> Rejected:
    """Return what is said of a profile that cannot be read."""
    return Rejected(
        f"a kept profile cannot be read: {reason}", field="profile", mend="it is made anew by the next look"
    )

"""How often a process looks at a rollout: where something can have changed, and never so that looking is all it does.

What it remembers is its own and of use only while it lives: whoever begins anew looks at once.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from worker.rollout.due import due_at
from worker.rollout.machine import Rollout

#: A rollout is looked at so often at the most, and so often where nothing seems to have changed; then all rows anew.
EVERY, ANYHOW = timedelta(minutes=1), timedelta(hours=1)
#: Looking takes at most one part in so many of a worker's time.
_SHARE = 10


@dataclass(frozen=True)
class _Look:
    """The last look.

    Attributes:
        again: not before that the next one.
        anew: when all rows were last read anew.
        seen: the rollout as it was left.
    """

    at: datetime
    again: datetime
    anew: datetime
    seen: Rollout


@dataclass
class Paces:
    """The last look at each rollout."""

    every: timedelta = EVERY
    _looks: dict[str, _Look] = field(default_factory=dict, init=False)

    def waits(self, rollout: Rollout, now: datetime, new_labels: Callable[[datetime], int]) -> bool:
        """Tell whether a look would find what the last one found.

        Args:
            rollout: as it stands.
            now: the time.
            new_labels: counts the labels that became known since a time.
        """
        last = self._looks.get(rollout.id)
        if last is None or _changed(last.seen, rollout):
            return False
        if now < last.again:
            return True
        due = due_at(rollout, last.at)
        return not (self.anew(rollout, now) or (due is not None and now >= due) or new_labels(last.at))

    def anew(self, rollout: Rollout, now: datetime) -> bool:
        """Tell whether all rows are to be read anew: what was stored late, as of an earlier time, counts then."""
        last = self._looks.get(rollout.id)
        return last is not None and now >= last.anew + ANYHOW

    def looked(self, rollout: Rollout, now: datetime, took_s: float, *, anew: bool) -> None:
        """Remember a look, and how the rollout was left."""
        rest, last = max(self.every, timedelta(seconds=took_s * _SHARE)), self._looks.get(rollout.id)
        self._looks[rollout.id] = _Look(now, now + rest, now if anew or last is None else last.anew, rollout)

    def forget(self, active: Iterable[Rollout]) -> list[Rollout]:
        """Forget the rollouts that are over, whoever ended them, and return them."""
        over = self._looks.keys() - {rollout.id for rollout in active}
        return [self._looks.pop(one).seen for one in over]


def _changed(seen: Rollout, now: Rollout) -> bool:
    """Tell whether somebody else, or an event, has changed a rollout since it was looked at."""
    return (seen.state, seen.step, seen.windows) != (now.state, now.step, now.windows)

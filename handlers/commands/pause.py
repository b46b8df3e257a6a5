"""Pause a bee, or the colony: nothing is started until it is resumed, what is held back waits; all of it recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from handlers.commands.operator import Operator, checked_reason
from worker.clock import to_text
from worker.decide.memory import Pause
from worker.decide.people import colony_paused, paused, resumed
from worker.errors import Conflict, Rejected
from worker.incidents.machine import looked_at_again
from worker.ledger import Transaction

#: Under this name the colony's own events stand in the outbox; no bee can have it.
COLONY = "*"


@dataclass(frozen=True)
class Pauses:
    """What is paused: the colony (None: it is not), and bees by name."""

    colony: Pause | None
    bees: Mapping[str, Pause]

    def of(self, bee: str) -> list[str]:
        """Return in words what keeps a bee from starting anything."""
        found = [f"the colony is {said(self.colony)}"] if self.colony else []
        return found + ([f"{bee} is {said(self.bees[bee])}"] if bee in self.bees else [])


def said(pause: Pause) -> str:
    """Return a pause in words."""
    until = f"until {to_text(pause.until)}" if pause.until else "until it is resumed"
    return f"paused by {pause.by} since {to_text(pause.since)} {until}: {pause.reason}"


def pauses(transaction: Transaction, now: datetime) -> Pauses:
    """Return the pauses that hold."""
    colony = transaction.memories.colony().pause
    memories = transaction.memories.all().items()
    held = {bee: memory.pause for bee, memory in memories if memory.pause is not None and memory.pause.holds(now)}
    return Pauses(colony if colony is not None and colony.holds(now) else None, held)


def pause(operator: Operator, bee: str | None, reason: str, until: datetime | None = None) -> Pause:
    """Pause a bee, or with None the colony, until a time or until it is resumed; a second pause replaces the first.

    Runs in flight go on, evaluations are judged and recorded as ever.

    Raises:
        NotFound: no such bee.
        Rejected: no reason, or a time that has passed.
    """
    if bee is not None:
        operator.bee(bee)
    if until is not None and until <= operator.now:
        raise Rejected("has passed", field="until", mend="name a time to come, or leave it out")
    made = Pause(checked_reason(reason), operator.name, operator.now, until)
    _change(operator, bee, made)
    return made


def resume(operator: Operator, bee: str | None) -> Pause:
    """End a pause and return it; what waits is judged again at once.

    Raises:
        NotFound: no such bee.
        Conflict: it is not paused.
    """
    if bee is not None:
        operator.bee(bee)
    before = _change(operator, bee, None)
    if before is None:
        raise Conflict(f"{bee or 'the colony'} is not paused")
    return before


def _change(operator: Operator, bee: str | None, to: Pause | None) -> Pause | None:
    """Put a pause in the place of another and return that one, if it held."""
    with operator.ledger.begin(write=False) as transaction:
        waiting = [one.bee for one in transaction.incidents.unfinished()]
    concerned = waiting if bee is None else [bee]
    with operator.ledger.begin() as transaction:
        transaction.lock(sorted(set(concerned)))
        before = _put(transaction, bee, to)
        for name in concerned:
            incident = transaction.incidents.open_for(name)
            if incident is not None and looked_at_again(incident) != incident:
                transaction.incidents.save(looked_at_again(incident))
        held = before if before is not None and before.holds(operator.now) else None
        if held is not None or to is not None:
            _tell(operator, bee, to, held, transaction)
    return held


def _put(transaction: Transaction, bee: str | None, to: Pause | None) -> Pause | None:
    if bee is None:
        colony = transaction.memories.colony(lock=True)
        transaction.memories.save_colony(colony_paused(colony, to))
        return colony.pause
    memory = transaction.memories.of(bee)
    transaction.memories.save(bee, paused(memory, to) if to else resumed(memory))
    return memory.pause


def _tell(
    operator: Operator, bee: str | None, to: Pause | None, before: Pause | None, transaction: Transaction
) -> None:
    shown = to or before
    data = {
        "beeId": bee,
        "by": operator.name,
        "at": to_text(operator.now),
        "reason": shown.reason if shown else "",
        "until": to_text(to.until) if to and to.until else None,
    }
    type_ = "colony.paused" if to else "colony.resumed"
    transaction.outbox.add(bee or COLONY, type_, f"{bee or COLONY}/{to_text(operator.now)}", 1, operator.now, data)


def shown_pause(bee: str | None, pause: Pause) -> dict[str, str | None]:
    """Return a pause as one JSON object; `beeId` is null for the colony's."""
    return {
        "beeId": bee,
        "by": pause.by,
        "reason": pause.reason,
        "since": to_text(pause.since),
        "until": to_text(pause.until) if pause.until else None,
    }

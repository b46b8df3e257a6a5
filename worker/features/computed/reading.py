"""What an online read says of a computed feature."""

from collections.abc import Callable
from datetime import datetime

from worker.clock import from_us
from worker.features.computed.evaluate import Computed
from worker.features.computed.windows import NEVER
from worker.features.port import Reading, Status


def readings(computed: Computed, expired: Callable[[int], datetime | None]) -> list[Reading]:
    """Return the reading of each row.

    A value is PRESENT, whatever it was computed from. Without one it is EXPIRED if the feature's own ttl is over, NULL
    if something could be read, EXPIRED if all that there is to read is too old, and else MISSING. The event time is the
    newest of what was read; a value that nothing was read for (a count of 0) has none.

    Args:
        computed: the evaluated feature.
        expired: gives a row's newest event time among inputs that are too old to count, None if there are none.
    """
    answer = []
    rows = zip(computed.cells.listed(), computed.event.tolist(), computed.expired.tolist(), strict=True)
    for row, (value, event, over) in enumerate(rows):
        time = None if event == NEVER else from_us(event)
        if value is not None:
            answer.append(Reading(Status.PRESENT, value, time))
        elif over or time is not None:
            answer.append(Reading(Status.EXPIRED if over else Status.NULL, None, time))
        else:
            last = expired(row)
            answer.append(Reading(Status.MISSING) if last is None else Reading(Status.EXPIRED, None, last))
    return answer

"""What an online read says of a computed feature, case by case."""

from datetime import datetime

import numpy as np
import pytest

from worker.clock import EPOCH, from_us
from worker.features.computed.cells import cells
from worker.features.computed.evaluate import Computed
from worker.features.computed.reading import readings
from worker.features.computed.windows import NEVER
from worker.features.port import Reading, Status, Value

OLD = EPOCH


@pytest.mark.parametrize(
    ("value", "event", "over", "last", "expected"),
    [
        (1.5, 7, False, None, Reading(Status.PRESENT, 1.5, from_us(7))),
        (0.0, NEVER, False, None, Reading(Status.PRESENT, 0.0, None)),
        (0.0, NEVER, False, OLD, Reading(Status.PRESENT, 0.0, None)),
        (None, 7, False, None, Reading(Status.NULL, None, from_us(7))),
        (None, 7, False, OLD, Reading(Status.NULL, None, from_us(7))),
        (None, 7, True, None, Reading(Status.EXPIRED, None, from_us(7))),
        (None, NEVER, False, OLD, Reading(Status.EXPIRED, None, OLD)),
        (None, NEVER, False, None, Reading(Status.MISSING)),
    ],
)
def test_each_status(value: Value, event: int, over: bool, last: datetime | None, expected: Reading) -> None:  # noqa: FBT001
    """A value is present; without one it matters what was read, and what would have been read earlier."""
    computed = Computed(cells("number", [value]), np.array([event]), np.array([over]))
    assert readings(computed, lambda _: last) == [expected]

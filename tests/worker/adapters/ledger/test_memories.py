from decimal import Decimal

from worker.adapters.ledger.memories import memory_of
from worker.decide.memory import BeeMemory, Tally
from worker.decide.windows import Windows


def test_a_memory_of_an_earlier_version() -> None:
    """A memory that was written with an object for each window is read as the same windows."""
    text = (
        '{"version":"1","windows":[{"key":"a","bad":true,"spent":true},{"key":"b","bad":true,"spent":false},'
        '{"key":"c","bad":false,"spent":false}],"bad":true,"tally":{"failures":[],"cost":"1.5"}}'
    )

    found = memory_of(text)

    assert found == BeeMemory("1", Windows(("a", "b", "c"), 0b110, 0b100), bad=True, tally=Tally(cost=Decimal("1.5")))
    assert (found.count(2), found.windows.has_acted("a"), found.windows.has_acted("b")) == (1, True, False)

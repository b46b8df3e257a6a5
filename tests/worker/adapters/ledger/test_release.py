import gc
import weakref

from tests.worker.adapters.ledger.records import NOW, decision
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger


def test_a_batch_is_gone_when_it_ends() -> None:
    """Nothing of a batch waits for the garbage collector, which a settled worker rarely calls."""
    ledger = SqlLedger(Database("sqlite:///:memory:"))
    gc.disable()
    try:
        with ledger.batch([("//bench", "e-0")], ["spam-guard"]) as batch:
            batch.inbox.arrived("//bench", "e-0", "model.evaluated", NOW)
            batch.decisions.add(decision("e-0"))
            batch.memories.save("spam-guard", batch.memories.of("spam-guard").hears(NOW))
            parts = [weakref.ref(part) for part in (batch.inbox, batch.decisions, batch.memories, batch.runs)]
        del batch

        assert [part() for part in parts] == [None] * len(parts)
    finally:
        gc.enable()
        ledger.close()

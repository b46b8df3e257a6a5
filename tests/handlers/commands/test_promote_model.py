from pathlib import Path
from typing import Any

import pytest

from handlers.commands.adopt_model import AdoptModel, adopt_model
from handlers.commands.promote_model import promote_model
from handlers.commands.rollback_model import predecessor, rollback_model
from tests.handlers.commands.models import Artifacts, Format, Shelf
from tests.worker import world
from tests.worker.world import BEE, BEES, NOW, operator
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import Conflict, NotFound, Rejected
from worker.models.port import Deployment, ModelVersion
from worker.models.shown import shown_version

FILES = Shelf()
RISKY = world.version("2", state="refused", gate_passed=False)


@pytest.fixture(name="live")
def _live(ledger: SqlLedger) -> SqlLedger:
    world.put_into_production(ledger)
    return ledger


def _add(ledger: SqlLedger, version: ModelVersion) -> None:
    with ledger.begin() as transaction:
        transaction.models.add(version)


def _state(ledger: SqlLedger) -> dict[str, str]:
    with ledger.begin(write=False) as transaction:
        return {one.version: one.state for one in transaction.models.versions(BEE.bee)}


def _shown(ledger: SqlLedger, number: str) -> dict[str, object]:
    with ledger.begin(write=False) as transaction:
        champion, found = transaction.models.champion(BEE.bee), transaction.models.get(BEE.bee, number)
    assert found is not None
    assert champion is not None
    return shown_version(found, champion.version)


def test_promote(live: SqlLedger) -> None:
    """A version that passed its gate becomes the champion; the one before is retired; the world is told why."""
    _add(live, world.version("2"))

    done = promote_model(operator(live), BEE.bee, "2", FILES, reason="tested by hand")

    assert done == Deployment(BEE.bee, 2, "2", "1", NOW, "tested by hand", None, by="ada")
    assert _state(live) == {"1": "retired", "2": "deployed"}
    assert world.event_types(live) == ["model.deployed"]
    assert (_shown(live, "2")["champion"], _shown(live, "2")["forced"]) == (True, None)


def test_a_gate_that_was_not_passed(live: SqlLedger) -> None:
    """A refused version is not promoted, and the refusal says how it could be."""
    _add(live, RISKY)

    with pytest.raises(Rejected, match="--force"):
        promote_model(operator(live), BEE.bee, "2", FILES, reason="please")

    assert _state(live) == {"1": "deployed", "2": "refused"}


def test_force_is_recorded_and_shown(live: SqlLedger) -> None:
    """A forced promotion leaves its reason with the version for good, and in the event."""
    _add(live, RISKY)

    promote_model(operator(live), BEE.bee, "2", FILES, reason="the gate's data is broken", force=True)
    rollback_model(operator(live), BEE.bee, FILES, reason="it was not")

    assert _shown(live, "2")["forced"] == "the gate's data is broken"
    assert _shown(live, "2")["gatePassed"] is False
    with live.begin(write=False) as transaction:
        forced, back = (event for event, _ in transaction.outbox.list())
    assert (forced.data["forced"], back.data["forced"]) == (True, False)


def test_force_where_it_is_not_needed(live: SqlLedger) -> None:
    """Forcing a version that passed leaves no mark."""
    _add(live, world.version("2"))

    promote_model(operator(live), BEE.bee, "2", FILES, reason="sure", force=True)

    assert _shown(live, "2")["forced"] is None


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_reason_is_needed(live: SqlLedger, reason: str) -> None:
    """Neither promotion nor rollback goes without a reason."""
    with pytest.raises(Rejected, match="reason"):
        promote_model(operator(live), BEE.bee, "1", FILES, reason=reason)
    with pytest.raises(Rejected, match="reason"):
        rollback_model(operator(live), BEE.bee, FILES, reason=reason)


def test_what_cannot_be_promoted(live: SqlLedger) -> None:
    """A version that is not there names those that are; the champion is no challenger."""
    with pytest.raises(NotFound, match="there are: 1"):
        promote_model(operator(live), BEE.bee, "9", FILES, reason="x")
    with pytest.raises(Conflict, match="in production already"):
        promote_model(operator(live), BEE.bee, "1", FILES, reason="x")


def test_rollback(live: SqlLedger) -> None:
    """A rollback goes to the predecessor, as a deployment of its own with a new epoch."""
    world.put_into_production(live, "2")

    done = rollback_model(operator(live), BEE.bee, FILES, reason="worse")

    assert (done.epoch, done.version, done.previous) == (3, "1", "2")
    assert _state(live) == {"1": "deployed", "2": "retired"}
    assert world.event_types(live) == ["model.rolled_back"]


def test_rollback_to_a_named_version(live: SqlLedger) -> None:
    """A named version must have been in production."""
    for number in ("2", "3"):
        world.put_into_production(live, number)
    _add(live, world.version("4"))

    assert rollback_model(operator(live), BEE.bee, FILES, reason="x", to_version="1").version == "1"
    with pytest.raises(Rejected, match="models promote"):
        rollback_model(operator(live), BEE.bee, FILES, reason="x", to_version="4")
    with pytest.raises(Conflict):
        rollback_model(operator(live), BEE.bee, FILES, reason="x", to_version="1")


def test_a_second_rollback_goes_further_back(live: SqlLedger) -> None:
    """Rolling back twice never brings back the version that the first rollback took away."""
    for number in ("2", "3"):
        world.put_into_production(live, number)

    assert rollback_model(operator(live), BEE.bee, FILES, reason="worse").version == "2"
    assert rollback_model(operator(live), BEE.bee, FILES, reason="still bad").version == "1"
    with pytest.raises(NotFound, match="no predecessor"):
        rollback_model(operator(live), BEE.bee, FILES, reason="still bad")


def test_a_rollback_does_not_ship_what_no_gate_passed(live: SqlLedger) -> None:
    """A version that was forced into production comes back by another `--force` only."""
    _add(live, RISKY)
    promote_model(operator(live), BEE.bee, "2", FILES, reason="now", force=True)
    world.put_into_production(live, "3")

    for named in (None, "2"):
        with pytest.raises(Rejected, match="--force"):
            rollback_model(operator(live), BEE.bee, FILES, reason="back", to_version=named)

    assert rollback_model(operator(live), BEE.bee, FILES, reason="back", to_version="1").version == "1"


@pytest.mark.parametrize(
    ("deployed", "before"),
    [([], None), (["1"], None), (["1", "2"], "1"), (["1", "2", "1"], None), (["1", "2", "3", "2"], "1"),
     (["1", "2", "1", "3"], "1"), (["1", "2", "3", "1", "2"], "1")],
)  # fmt: skip
def test_predecessor(deployed: list[str], before: str | None) -> None:
    """The predecessor is what production would have come from, with all that was taken back left out."""
    assert predecessor(deployed) == before


def test_nothing_is_shipped_whose_file_is_gone(live: SqlLedger) -> None:
    """Neither promotion, forced or not, nor rollback puts a model into production that cannot be loaded."""
    world.put_into_production(live, "2")
    broken = Shelf(gone=(world.version("1").artifact.sha256,))

    with pytest.raises(NotFound, match="no artifact"):
        promote_model(operator(live), BEE.bee, "1", broken, reason="x", force=True)
    with pytest.raises(NotFound, match="no artifact"):
        rollback_model(operator(live), BEE.bee, broken, reason="x")

    assert world.event_types(live) == []


def test_nothing_to_go_back_to(live: SqlLedger) -> None:
    """Without a champion or a predecessor there is nothing to go back to."""
    with pytest.raises(NotFound, match="no predecessor"):
        rollback_model(operator(live), BEE.bee, FILES, reason="x")
    with pytest.raises(NotFound, match="no model in production"):
        rollback_model(operator(live), "other-bee", FILES, reason="x")


def _adopt(ledger: SqlLedger, model: Path, **changes: Any) -> ModelVersion:
    parts = {"bee": BEE.bee, "version": "v7", "file": model, "trained_until": NOW, **changes}
    return adopt_model(AdoptModel(**parts), ledger, Artifacts(model.parent), Format(), BEES, NOW)


@pytest.fixture(name="model")
def _model(tmp_path: Path) -> Path:
    file = tmp_path / "model.skops"
    file.write_bytes(b"7")
    return file


def test_adopt(ledger: SqlLedger, model: Path) -> None:
    """A model that the colony had becomes version and champion; its record says that no gate saw it."""
    done = _adopt(ledger, model, baseline={"f1": 0.9})

    assert (done.version, done.gate_passed, done.lineage["adopted"]) == ("v7", False, True)
    assert done.metrics == {"f1": 0.9}
    assert _shown(ledger, "v7")["champion"] is True
    assert world.event_types(ledger) == ["model.deployed"]


def test_adopt_beside_a_champion(live: SqlLedger, model: Path) -> None:
    """A bee that has a model in production cannot be given another past its gate."""
    with pytest.raises(Conflict, match="in production already"):
        _adopt(live, model)

    assert _state(live) == {"1": "deployed"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"bee": "nobody"}, "bee"),
        ({"trained_until": None}, "trainedUntil"),
        ({"file": Path("/no/such/file")}, "artifact"),
    ],
)
def test_wrong_adoptions(ledger: SqlLedger, model: Path, changes: dict[str, Any], field: str) -> None:
    """What is missing for an adoption is told by field and mend."""
    with pytest.raises(Rejected) as error:
        _adopt(ledger, model, **changes)

    assert error.value.field == field
    assert error.value.mend
    assert _state(ledger) == {}


def test_adopt_a_file_that_is_no_model(ledger: SqlLedger, tmp_path: Path) -> None:
    """A file that cannot be loaded is not registered."""
    file = tmp_path / "text"
    file.write_text("hello")

    with pytest.raises(Rejected, match="not a model"):
        _adopt(ledger, file)

    assert _state(ledger) == {}

"""What runs cost and what was gained for it, from a ledger in which a colony has lived."""

from dataclasses import replace
from datetime import timedelta

import pytest

from handlers.commands.show_costs import Asked, gains, shown_costs, shown_gains
from handlers.commands.show_incident import shown_incident
from tests.worker.costs.lists import LIST
from tests.worker.runs.colony import HOUR, Colony
from tests.worker.world import BEE, BEES, NOW
from worker.adapters.ledger.sql import SqlLedger
from worker.bee import Evidence
from worker.costs.gain import Gain
from worker.errors import Rejected

DAY = timedelta(days=1)
COST = {"cpuSeconds": 7200}


@pytest.fixture(name="colony")
def _colony(ledger: SqlLedger) -> Colony:
    """Give a colony of which a bee failed once, was mended by the second attempt, and has been well since."""
    from tests.worker import world

    world.put_into_production(ledger)
    colony = Colony(ledger)
    colony.evaluate(metrics={"f1": 0.45})
    colony.end_run(gate=world.gate(lower=-0.1), cost=COST)
    colony.pass_time(DAY)
    colony.evaluate(metrics={"f1": 0.40})
    colony.pass_time(DAY)
    colony.end_run(cost=COST)
    for value in (0.90, 0.94):
        colony.now += DAY
        colony.evaluate(modelVersion=colony.champion(), metrics={"f1": value})
    return colony


def _gains(colony: Colony, asked: Asked | None = None) -> list[Gain]:
    with colony.ledger.begin(write=False) as transaction:
        return gains(asked or Asked(), transaction, colony.bees)


def test_costs_by_each_key(colony: Colony) -> None:
    """By bee, template or month the same total stands below, with what was thought before."""
    for by, name in (("bee", BEE.bee), ("template", "auto-retrain"), ("month", f"{NOW:%Y-%m}")):
        with colony.ledger.begin(write=False) as transaction:
            shown = shown_costs(Asked(by), transaction, LIST)

        assert [group["name"] for group in shown["groups"]] == [name]
        assert {**shown["groups"][0], "name": ""} == {**shown["total"], "name": ""}
        assert (shown["total"]["runs"], shown["total"]["cost"], shown["total"]["unknown"]) == (2, 0.2, 0)
        assert shown["total"]["estimated"] == 0.1, "the second attempt was estimated by the first"


def test_costs_of_a_span(colony: Colony) -> None:
    """What was asked for before or after is left out; a span that ends before it begins is refused."""
    with colony.ledger.begin(write=False) as transaction:
        first = shown_costs(Asked(since=NOW, until=NOW + HOUR), transaction, LIST)
        none = shown_costs(Asked(since=NOW + 300 * DAY), transaction, LIST)
        with pytest.raises(Rejected, match="until"):
            shown_costs(Asked(since=NOW, until=NOW - HOUR), transaction, LIST)

    assert (first["total"]["runs"], none["total"]["runs"], none["groups"]) == (1, 0, [])


def test_why_costs_are_not_known(colony: Colony) -> None:
    """Runs whose cost nobody knows are counted with their reasons, and leave the sum as it is."""
    (*_, last) = colony.runs()
    with colony.ledger.begin() as transaction:
        transaction.runs.save(replace(last, cost=None, settled_cost=None, cost_basis="no price for cpu=96"))
        shown = shown_costs(Asked(), transaction, LIST)

    assert (shown["total"]["cost"], shown["total"]["unknown"]) == (0.1, 1)
    assert shown["unknown"] == [{"reason": "no price for cpu=96", "runs": 1}]


def test_what_a_version_gained(colony: Colony) -> None:
    """Both attempts' cost stands against the gate's difference, and against what was measured in production."""
    (found,) = [one for one in _gains(colony) if one.change.version != "1"]

    assert (found.runs, found.cost) == (2, pytest.approx(0.2))
    assert (found.gate.before, found.gate.after) == (0.80, 0.93)
    assert found.measured.windows == (2, 2)
    assert found.measured.gain == pytest.approx(0.92 - 0.425)
    assert found.told()["gainPerCost"] == pytest.approx((0.92 - 0.425) / 0.2)


def test_the_first_version_has_no_gain(colony: Colony) -> None:
    """What was adopted was made by no run, and replaced nothing: its cost and its gain are undefined."""
    first = _gains(colony)[0]

    assert (first.change.version, first.change.previous, first.cost, first.best.gain) == ("1", None, None, None)
    assert "no run" in first.why


def test_totals_count_what_has_both(colony: Colony) -> None:
    """A bee's total leaves the first version out, and says so."""
    shown = shown_gains(_gains(colony), LIST)

    (bee,) = shown["bees"]
    assert (bee["versions"], bee["counted"], bee["cost"]) == (2, 1, pytest.approx(0.2))
    assert bee["gain"] == pytest.approx(0.92 - 0.425)


def test_gains_of_a_span(colony: Colony) -> None:
    """Only what went into production then."""
    assert _gains(colony, Asked(since=NOW + 100 * DAY)) == []
    assert [one.change.version for one in _gains(colony, Asked(until=NOW + HOUR))] == ["1"]


def test_a_window_that_was_judged_twice_counts_once(colony: Colony) -> None:
    """A later word on the same window takes the earlier one's place."""
    window = {"id": "w0", "sampleCount": 437, "positiveCount": 90}
    for value in (0.1, 0.98):
        colony.now += HOUR
        colony.evaluate(modelVersion=colony.champion(), metrics={"f1": value}, window=window)

    found = _gains(colony)[-1]

    assert found.measured.windows == (2, 3)
    assert found.measured.after == pytest.approx((0.90 + 0.94 + 0.98) / 3)


@pytest.mark.parametrize("counts", [{"sampleCount": 437, "positiveCount": 6}, {"sampleCount": 20}])
def test_what_was_no_evidence_is_no_gain(colony: Colony, counts: dict[str, int]) -> None:
    """A window that rests on less than the bee asks for decided nothing, and tells nothing of what was gained."""
    strict = Evidence(min_samples=50, min_positives=20)
    colony.bees = {name: bee.model_copy(update={"evidence": strict}) for name, bee in BEES.items()}
    colony.now += HOUR
    colony.evaluate(modelVersion=colony.champion(), metrics={"f1": 0.1}, window={"id": "thin", **counts})

    assert _gains(colony)[-1].measured.windows == (2, 2)


def test_a_bee_that_is_configured_no_more(colony: Colony) -> None:
    """Its versions are told by the gate's metric, without what was measured under another name."""
    colony.bees = {name: bee for name, bee in BEES.items() if name != BEE.bee}

    found = _gains(colony)[-1]

    assert (found.change.metric, found.gate.gain) == ("f1", pytest.approx(0.13))


def test_an_incident_tells_the_cost_of_all_its_attempts(colony: Colony) -> None:
    """The sum over both attempts stands with its story."""
    with colony.ledger.begin(write=False) as transaction:
        shown = shown_incident(colony.incident(), transaction, colony.policy)

    assert (shown["cost"]["runs"], shown["cost"]["cost"]) == (2, 0.2)

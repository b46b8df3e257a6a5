"""The price list's file: the shipped one, one laid over it, and what is wrong with others."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from config import schema
from worker.costs.machine import DEFAULT, Machine
from worker.costs.prices import PriceList
from worker.errors import Rejected


def _laid(tmp_path: Path, text: str) -> PriceList:
    (tmp_path / "prices.yaml").write_text(text)
    return schema.load_prices([schema.SHIPPED, tmp_path])


def test_the_shipped_list() -> None:
    """It has a date, a fee, and the machine that a step has which asks for nothing; larger ones cost more."""
    prices = schema.load_prices([schema.SHIPPED])
    rates = [prices.rate("us-central1", Machine(cpu, 4.0 * cpu)).hour for cpu in (0, 8, 16, 32)]

    assert prices.as_of >= date(2026, 10, 7)
    assert (prices.currency, prices.run_fee) == ("USD", 0.03)
    assert prices.rate("us-central1", Machine()).words == DEFAULT
    assert None not in rates
    assert rates == sorted(rate for rate in rates if rate is not None)


def test_the_shipped_machines_go_by_their_size() -> None:
    """Within a family a core costs the same, whichever the machine: no slip of a digit."""
    for region in schema.load_prices([schema.SHIPPED]).regions.values():
        for family in ("e2-standard", "n1-standard"):
            each = [one.hour / one.cpu for one in region.machines.values() if one.name.startswith(family)]
            assert max(each) == pytest.approx(min(each))


def test_a_file_is_laid_over_the_shipped_one(tmp_path: Path) -> None:
    """A region, a machine and a model are added, one price is replaced; the rest stays with its own date."""
    prices = _laid(
        tmp_path,
        """
asOf: 2026-11-01
vertex:
  increment: 1m
  regions:
    us-central1:
      machines:
        e2-standard-4: {cpu: 4, memory: 16Gi, hour: 0.1}
      accelerators:
        NVIDIA_L4: {hour: 0.7, machines: [g2-], asOf: 2026-10-30}
    europe-west4:
      machines:
        e2-standard-4: {cpu: 4, memory: 16G, hour: 0.17}
tokens:
  models:
    my-model: {input: 1, output: 2}
""",
    )

    here = prices.regions["us-central1"]
    assert prices.as_of == date(2026, 11, 1)
    assert (prices.increment, prices.run_fee) == (timedelta(minutes=1), 0.03)
    assert (here.machines[DEFAULT].hour, here.machines[DEFAULT].as_of) == (0.1, date(2026, 11, 1))
    assert here.machines["n1-standard-4"].as_of == date(2026, 10, 7)
    assert here.accelerators["NVIDIA_L4"].as_of == date(2026, 10, 30)
    assert prices.rate("europe-west4", Machine()).hour == 0.17
    assert {"my-model", "gemini-3.5-flash"} <= set(prices.tokens)


def test_a_file_in_another_currency_stands_alone(tmp_path: Path) -> None:
    """Prices of two currencies are not mixed: what the file does not name is not known."""
    prices = _laid(tmp_path, "asOf: 2026-11-01\ncurrency: EUR\nvertex: {pipelineRun: 0.028}\n")

    assert (prices.currency, prices.run_fee, prices.regions, prices.tokens) == ("EUR", 0.028, {}, {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("currency: USD\n", "asOf"),
        ("asOf: yesterday\n", "asOf"),
        ("asOf: 2026-11-01\ncurrency: dollars\n", "currency"),
        ("asOf: 2026-11-01\nvertex: {pipelineRun: -1}\n", "vertex.pipelineRun"),
        ("asOf: 2026-11-01\nvertex: {pipelineRun: .nan}\n", "vertex.pipelineRun"),
        ("asOf: 2026-11-01\nvertex: {fee: 1}\n", "vertex.fee"),
        ("asOf: 2026-11-01\nvertex: {regions: {r: {machines: {m: {cpu: 1, memory: 4 GB, hour: 1}}}}}\n", "16G"),
        ("asOf: 2026-11-01\ntokens: {models: {m: {input: 1}}}\n", "tokens.models.m.output"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    """A price that cannot be one is refused with file, line and path."""
    with pytest.raises(Rejected, match=r"prices\.yaml:\d") as error:
        _laid(tmp_path, text)

    assert words in str(error.value)

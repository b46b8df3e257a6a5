"""What the settings make of prices: here, on Vertex AI, and for the models that bees ask."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from config.settings import Settings
from worker.app.configuration import Configuration
from worker.app.frozen import Frozen
from worker.app.pricing import Pricing
from worker.errors import Rejected
from worker.generation import Price

BEE = {
    "bee": "ti-guy-chat",
    "task": "generation",
    "metric": "similarity",
    "trainer": {
        "type": "generation",
        "settings": {"model": "small"},
        "prices": {"small": {"input": 7, "output": 8}},
    },
    "prompts": [{"prompt": "What is a tuque?", "reference": "A hat."}],
}
PRICES = "asOf: 2026-11-01\ntokens: {models: {small: {input: 1, output: 2}, large: {input: 3, output: 4}}}\n"


def _settings(tmp_path: Path, **values: Any) -> Settings:
    return Settings(home=tmp_path / "home", config=tmp_path, **values)


def _pricing(tmp_path: Path, **values: Any) -> Pricing:
    settings = _settings(tmp_path, **values)
    return Pricing(Configuration(settings), settings)


def test_here_cores_and_memory_have_their_prices(tmp_path: Path) -> None:
    """The settings' prices count, and a typical run is six short steps at them."""
    pricing = _pricing(tmp_path, engine="local", cpu_hour_price=1.0, memory_gb_hour_price=0.2)

    found = pricing.typical("auto-retrain")

    assert (pricing.prices.cpu_hour, pricing.prices.memory_gb_hour, pricing.prices.listed) == (1.0, 0.2, None)
    assert found.amount == pytest.approx(6 * 30 / 3600 * 1.2)
    assert found.basis.startswith("no run yet: 6 steps")


def test_on_vertex_the_price_list_counts(tmp_path: Path) -> None:
    """Each of the template's steps has the default machine of the region; a region without prices says so."""
    here = _pricing(tmp_path, engine="vertex", region="us-central1")
    elsewhere = _pricing(tmp_path, engine="vertex", region="mars-north1")

    assert here.prices.listed is not None
    assert here.typical("auto-retrain").amount == pytest.approx(0.03 + 6 * 5 / 60 * 0.154126276, abs=1e-6)
    assert elsewhere.typical("auto-retrain").amount is None
    assert "mars-north1" in elsewhere.typical("auto-retrain").basis


def test_a_template_that_is_not_there(tmp_path: Path) -> None:
    """Nothing is known of it, and nothing breaks."""
    found = _pricing(tmp_path, engine="local").typical("no-such-template")

    assert found.amount is None
    assert "no-such-template" in found.basis


def test_a_faulty_price_list(tmp_path: Path) -> None:
    """Where runs are reckoned by it, it is told at the start; an estimate only says that it has none."""
    (tmp_path / "prices.yaml").write_text("asOf: soon\n")
    pricing = _pricing(tmp_path, engine="vertex")

    with pytest.raises(Rejected, match=r"prices\.yaml"):
        _ = pricing.prices
    assert pricing.typical("auto-retrain").amount is None


def test_the_lists_tokens_are_frozen_into_a_bee_that_generates(tmp_path: Path) -> None:
    """Steps read no price list: a run carries it, and a price in the bee's own file goes before the list's."""
    (tmp_path / "prices.yaml").write_text(PRICES)
    (tmp_path / "bees").mkdir()
    (tmp_path / "bees" / "ti-guy-chat.yaml").write_text(yaml.safe_dump(BEE))
    frozen = Frozen(Configuration(_settings(tmp_path)), lambda: None, "runs")  # type: ignore[arg-type,return-value]

    prices = frozen.bee("ti-guy-chat").trainer.prices

    assert (prices["small"], prices["large"]) == (Price(input=7, output=8), Price(input=3, output=4))
    assert frozen.bee("spam-guard").trainer.prices == {}

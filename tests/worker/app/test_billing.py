"""Whether there is a bill, by the settings."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from worker.app import App
from worker.clock import wall_clock
from worker.errors import Rejected

TABLE = "billing-project.billing.gcp_billing_export_v1_0A1B2C_3D4E5F_6A7B8C"
LOCAL = dict.fromkeys(("bus", "engine", "features", "models", "metrics"), "local")


@pytest.fixture(name="app_with")
def _app_with(tmp_path: Path) -> Iterator[Callable[..., App]]:
    """Return a function that gives an app with settings, everything but the bill on this machine."""
    made: list[App] = []

    def build(**values: Any) -> App:
        given = {"project": "my-project", "ledger": "sqlite", **LOCAL, **values}
        made.append(App(Settings(home=tmp_path / "home", **given), wall_clock))
        return made[-1]

    yield build
    for app in made:
        app.close()


def test_a_table_makes_a_loop(app_with: Callable[..., App]) -> None:
    """With a table the worker looks at the bill, in the price list's currency, and doctor asks for it."""
    app = app_with(billing_table=TABLE)

    assert app.corrections is not None
    assert app.corrections.days.days == 35
    assert "bill" in app.checks()


@pytest.mark.parametrize("values", [{}, {"billing_table": TABLE, "billing": "local"}])
def test_without_a_table_nothing_is_asked(app_with: Callable[..., App], values: dict[str, str]) -> None:
    """No table, or a bill that is switched off: costs stay as they were settled."""
    assert app_with(**values).corrections is None


def test_a_name_that_is_no_table_is_told_at_the_start(app_with: Callable[..., App]) -> None:
    """Whoever starts the loops hears of it, with the setting's name."""
    with pytest.raises(Rejected, match="COLONY_BILLING_TABLE"):
        _ = app_with(billing_table="my export").corrections

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import Settings
from tests.chat_server import ChatServer
from worker.app import App
from worker.checkup import Doubt
from worker.clock import wall_clock
from worker.errors import Rejected

EXAMPLE = Path(__file__).parents[3] / "config" / "bees" / "ti-guy-chat.yaml.example"


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> Path:
    """A configuration directory with the shipped example of a bee that generates text."""
    config = tmp_path / "config"
    (config / "bees").mkdir(parents=True)
    (config / "bees" / "ti-guy-chat.yaml").write_text(EXAMPLE.read_text())
    return config


@pytest.fixture(name="app")
def _app(tmp_path: Path, config: Path, chat_server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """Give the app of that configuration."""
    for name in ("GOOGLE_CLOUD_PROJECT", "PIPELINE_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    app = App(Settings(home=tmp_path / "home", config=config, chat_url=chat_server.url), wall_clock)
    yield app
    app.close()


def test_the_chat_endpoint_is_asked_where_a_bee_needs_it(app: App, chat_server: ChatServer) -> None:
    """A bee that generates text has a check that really asks; a bee of another kind has none."""
    checks = app.checks()

    assert [name for name in checks if name.startswith("chat of")] == ["chat of ti-guy-chat"]
    assert checks["chat of ti-guy-chat"]() == f"small-model at {chat_server.url}"


def test_every_part_is_checked(app: App) -> None:
    """Each port's real call works on an empty data directory, and the configuration says what it holds."""
    checks = app.checks()

    parts = ["ledger", "features", "models", "engine", "events in", "events out"]
    assert [checks[name]() for name in parts] == [None] * len(parts)
    assert str(checks["configuration"]()).startswith("2 bees, 5 templates, policy ")


def test_a_policy_that_goes_by_findings_needs_somebody_who_looks(app: App, config: Path) -> None:
    """It is doubted until a file of features says that they are watched; then the loop is there, too."""
    (config / "policy.yaml").write_text("bees: {ti-guy-chat: {features: {hold: [stale]}}}\n")
    answer = app.checks()["configuration"]()
    assert isinstance(answer, Doubt)
    assert "config/features" in answer.mend
    assert "colony-features" not in [loop.name for loop in app.loops()]

    (config / "features").mkdir()
    (config / "features" / "all.yaml").write_text("monitor: {every: 1d, features: all}\n")
    again = App(app.settings, wall_clock)

    assert str(again.checks()["configuration"]()).startswith("2 bees")
    assert "colony-features" in [loop.name for loop in again.loops()]
    again.close()


def test_a_faulty_bee_does_not_hide_the_parts(app: App, config: Path) -> None:
    """Where the configuration cannot be read its check says why, and the parts are checked all the same."""
    (config / "bees" / "broken.yaml").write_text("bee: [\n")

    checks = app.checks()

    with pytest.raises(Rejected, match=r"broken\.yaml"):
        checks["configuration"]()
    assert checks["ledger"]() is None

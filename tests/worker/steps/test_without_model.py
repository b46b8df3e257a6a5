"""The steps of templates that make no model: what they refuse, and what they do with nothing."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from worker.adapters.features.local import LocalFeatureStore
from worker.adapters.models.local import LocalArtifacts
from worker.adapters.models.skops_format import SkopsFormat
from worker.bee import BeeSpec
from worker.errors import Rejected
from worker.features.port import Definition
from worker.steps import outcome
from worker.steps.__main__ import load_step
from worker.steps.step import Ports, StepContext
from worker.steps.types.backfill import BackfillConfig, check, directories

NOW = datetime(2002, 10, 1, tzinfo=UTC)
HEAD = "id,at,karma\n"


@pytest.fixture(name="_permitted", autouse=True)
def _permitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files be imported from the test's directory and a bucket."""
    monkeypatch.setenv("COLONY_IMPORT_DIRS", f"{tmp_path}, gs://our-bucket/imports")


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Any:
    store = LocalFeatureStore(tmp_path / "features", clock=lambda: NOW)
    store.define(Definition("karma", "user", "number"))
    yield store
    store.close()


@pytest.fixture(name="context")
def _context(tmp_path: Path, store: LocalFeatureStore, spam_guard: BeeSpec) -> Any:
    """Give a function from a step's name and config to its context."""

    def context(name: str, **config: Any) -> StepContext:
        type_ = load_step(name)
        return StepContext(
            config=type_.config.model_validate(config),
            run={"id": "r", "template": "t", "asOf": "2002-10-01T00:00:00Z", "champion": None},
            bee=spam_guard,
            inputs={},
            outputs={output: tmp_path / "run" / output for output in type_.outputs},
            output_dir=tmp_path / "run",
            ports=Ports(store, LocalArtifacts(tmp_path / "models"), SkopsFormat()),
        )

    return context


def _backfill(context: Any, tmp_path: Path, text: str, **config: Any) -> dict[str, Any]:
    (tmp_path / "karma.csv").write_text(HEAD + text, encoding="utf-8")
    given = {"file": str(tmp_path / "karma.csv"), "entityId": "id", "eventTime": "at", "entity": "user", **config}
    made = context("backfill", **given)
    load_step("backfill").body(made)
    found = outcome.read(made.output_dir)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["karma.csv", "HERE/not-there.csv", "HERE", "https://example.com/karma.csv", "\0"])
def test_a_file_that_is_none(context: Any, tmp_path: Path, name: str) -> None:
    """A relative path, a missing file, a directory and a web address are refused by the parameter's name."""
    with pytest.raises(Rejected, match=r"config\.file.*absolute path") as caught:
        _backfill(context, tmp_path, "", file=name.replace("HERE", str(tmp_path)))

    assert caught.value.field == "config.file"


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "HERE/../outside.csv",
        "HERE/link.csv",
        "file:///etc/passwd",
        "gs://other-bucket/karma.csv",
        "gs://our-bucket/imports-of-others/karma.csv",
        "gs://our-bucket/imports/../../../etc/passwd",
    ],
)
def test_a_file_that_may_not_be_read(context: Any, tmp_path: Path, name: str) -> None:
    """Nothing outside the permitted directories is read, however it is named; the mend names them and the setting."""
    (tmp_path / "link.csv").symlink_to("/etc/passwd")
    file = name.replace("HERE", str(tmp_path))

    with pytest.raises(Rejected, match=r"nothing may be imported from.*our-bucket/imports.*COLONY_IMPORT_DIRS"):
        _backfill(context, tmp_path, "", file=file)
    with pytest.raises(Rejected) as caught:
        check(BackfillConfig.model_validate({"file": file, "entityId": "id", "eventTime": "at"}))
    assert caught.value.field == "file"


def test_without_a_setting_only_the_imports(tmp_path: Path) -> None:
    """Where nothing is said only `imports` of the data directory may be read; the rest of it holds our own secrets."""
    assert directories({"COLONY_HOME": str(tmp_path)}) == [tmp_path / "imports"]
    assert directories({}) == [Path.cwd() / ".colony" / "imports"]
    assert directories({"COLONY_IMPORT_DIRS": "/a, gs://b/c ,"}) == [Path("/a"), Path("/gcs/b/c")]


def test_only_bad_rows(context: Any, tmp_path: Path) -> None:
    """A file of which no row can be taken fails with the first row's reason."""
    with pytest.raises(Rejected, match=r"none of 2 rows could be taken; the first: .*yesterday"):
        _backfill(context, tmp_path, "u1,yesterday,1\nu2,tomorrow,2\n")


def test_an_empty_file(context: Any, tmp_path: Path) -> None:
    """A file without rows is done with nothing."""
    found = _backfill(context, tmp_path, "")

    assert (found["verdict"], found["metrics"]) == ("completed", {"values": 0, "new": 0, "rejectedRows": 0})


def test_a_feature_of_another_entity(context: Any, tmp_path: Path) -> None:
    """Columns of another entity than the store knows are refused: nothing is stored."""
    with pytest.raises(Rejected, match="'karma' is a feature of 'user', not of 'content'"):
        _backfill(context, tmp_path, "c1,2002-09-01T00:00:00Z,1\n", entity=None)


def test_no_champion(context: Any) -> None:
    """Without a model in production there is nothing to score with."""
    with pytest.raises(Rejected, match=r"no model in production.*colony trigger auto-retrain --bee spam-guard"):
        load_step("score").body(context("score"))


@pytest.mark.parametrize("window", ["0s", "soon"])
def test_a_window_of_nothing(context: Any, window: str) -> None:
    """A window must be a duration longer than nothing."""
    with pytest.raises(ValueError, match="window"):
        context("score", window=window)

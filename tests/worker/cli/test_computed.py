"""Computed features by command and by configuration."""

import json
from pathlib import Path

import pytest

from tests.worker.cli.conftest import Here

STORED = ("--entity", "member", "--type", "number")
LAYER = """
features:
  - {name: rate, entity: member, type: number, source: computed, computation: "double_engagement / account_age"}
  - name: double_engagement
    entity: member
    type: number
    source: computed
    computation: |
      2 *
      sum(engagement over 30d)
  - {name: engagement, entity: member, type: number, ttl: 30d}
  - {name: account_age, entity: member, type: number}
"""


@pytest.fixture(name="layer")
def _layer(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the features file of a configuration that is laid over the shipped one."""
    assert here  # clears the variables before one is set
    file = tmp_path / "layer" / "features" / "member.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(LAYER)
    monkeypatch.setenv("COLONY_CONFIG", str(tmp_path / "layer"))
    return file


def test_define_by_command_and_read(here: Here, tmp_path: Path) -> None:
    """A computed feature is defined, listed with its computation, and read with its value."""
    for name in ("engagement", "account_age"):
        assert here("features", "define", "--name", name, *STORED)[0] == 0
    computation = "sum(engagement) / account_age"
    code, out, _ = here("features", "define", "--name", "rate", *STORED, "--computation", computation)
    assert (code, out.strip()) == (0, "1 features: rate v1")
    data = tmp_path / "members.csv"
    data.write_text("id,at,engagement,account_age\nm,2002-09-01T00:00:00Z,4,8\nm,2002-09-02T00:00:00Z,2,8\n")
    spec = ("--entity", "member", "--entity-id", "id", "--event-time", "at", "--known-at", "at")
    assert here("features", "import", str(data), *spec)[0] == 0
    read = json.loads(here("features", "get", "m", "rate", "--json")[1])
    assert (read["value"], read["status"], read["timestamp"]) == (0.75, "PRESENT", "2002-09-02T00:00:00Z")
    listed = [json.loads(line) for line in here("features", "list", "--json")[1].splitlines()]
    (shown,) = [item for item in listed if item["name"] == "rate"]
    assert (shown["source"], shown["computation"]) == ("computed", computation)


def test_a_file_with_a_computed_column_is_refused_whole(here: Here, tmp_path: Path) -> None:
    """Nothing of it is stored, and the columns to take can be named."""
    here("features", "define", "--name", "engagement", *STORED)
    here("features", "define", "--name", "rate", *STORED, "--computation", "engagement / 2")
    data = tmp_path / "members.csv"
    data.write_text("id,at,engagement,rate\nm,2002-09-01T00:00:00Z,4,8\n")
    spec = ("--entity", "member", "--entity-id", "id", "--event-time", "at", "--known-at", "at")
    code, _, errors = here("features", "import", str(data), *spec)
    assert code == 2
    assert "'rate' is computed and takes no values" in errors
    assert here("features", "import", str(data), *spec, "--columns", "engagement")[0] == 0
    assert json.loads(here("features", "get", "m", "rate", "--json")[1])["value"] == 2.0


def test_a_mistake_is_shown_with_its_place(here: Here) -> None:
    """Exit code 2, the line, a caret and what to do."""
    here("features", "define", "--name", "engagement", *STORED)
    code, _, errors = here("features", "define", "--name", "rate", *STORED, "--computation", "sum(engagment) / 2")
    assert code == 2
    assert (
        "    sum(engagment) / 2\n        ^ the feature 'engagment' is not defined. Did you mean engagement?" in errors
    )


@pytest.mark.usefixtures("layer")
def test_define_by_configuration_in_any_order(here: Here) -> None:
    """What is read comes first, wherever it stands in the file; the same again changes nothing."""
    for _ in range(2):
        code, out, _ = here("features", "define")
        assert code == 0
        for name in ("rate", "double_engagement", "engagement", "account_age"):
            assert f"{name} v1" in out


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("double_engagement / account_age", "double_engagement / agee", "features.rate.computation"),
        ("double_engagement / account_age", "double_engagement /", "features.rate.computation"),
        ("ttl: 30d", "ttl: 7d", "features.double_engagement.computation"),
        ("{name: engagement,", "{name: engagement, source: computed, computation: rate,", "engagement → rate"),
    ],
)
def test_a_mistake_in_the_configuration_names_the_feature(
    here: Here, layer: Path, old: str, new: str, what: str
) -> None:
    """Of many features the wrong one is told, a cycle by its path."""
    layer.write_text(LAYER.replace(old, new))
    code, _, errors = here("features", "define")
    assert code == 2
    assert what in errors

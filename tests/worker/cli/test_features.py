"""`colony features`: definitions are made, found, looked at, deprecated and deleted on the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.worker.cli.conftest import Here
from worker.adapters.features.local import LocalFeatureStore
from worker.adapters.ledger.sql import SqlLedger
from worker.clock import wall_clock
from worker.features.port import Reader, Write

KARMA = ["features", "define", "--name", "karma", "--entity", "user", "--type", "number"]


def rows(text: str) -> list[dict[str, Any]]:
    """Return the JSON lines of an output."""
    return [json.loads(line) for line in text.splitlines()]


def test_every_option_of_a_definition_is_stored(here: Here) -> None:
    """What is given comes back, a change is the next version, and the range is shown."""
    words = ["--unit", "points", "--tag", "b", "--tag", "a", "--owner", "ann", "--ttl", "30d", "--group", "user"]
    assert here(*KARMA, *words, "--minimum", "0", "--maximum", "1", "--description", "standing")[0] == 0
    code, output, _ = here(*KARMA, *words, "--minimum", "0", "--maximum", "2", "--description", "standing")
    assert (code, output) == (0, "1 features: karma v2\n")
    (shown,) = rows(here("features", "show", "karma", "--json")[1])
    expected = {"unit": "points", "tags": ["a", "b"], "owner": "ann", "ttl": "30d", "minimum": 0.0, "maximum": 2.0}
    assert shown.items() >= {**expected, "version": 2, "group": "user", "description": "standing"}.items()
    assert [version["maximum"] for version in shown["versions"]] == [1.0, 2.0]
    assert "0 to 2" in here("features", "show", "karma")[1]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--minimum", "2", "--maximum", "1"],
        ["--ttl", "soon"],
        ["--name", "Bad Name"],
        ["--type", "vector", "--minimum", "0"],
    ],
)
def test_a_wrong_definition_is_refused_with_exit_code_2(here: Here, wrong: list[str]) -> None:
    """The reason goes to standard error, and nothing is defined."""
    code, _, errors = here(*KARMA, *wrong)
    assert code == 2
    assert errors
    assert rows(here("features", "list", "--json")[1]) == []


def test_the_list_is_searched(here: Here) -> None:
    """Words, tag, owner, entity and type narrow it; nothing found is said."""
    here("features", "define")
    here(*KARMA, "--tag", "hot", "--owner", "ann", "--unit", "points")

    def found(*options: str) -> list[str]:
        return [item["name"] for item in rows(here("features", "list", "--json", *options)[1])]

    assert found("--search", "POINTS") == ["karma"]
    assert found("--search", "spam fixed rule") == ["spam_probability"]
    assert found("--tag", "hot") == found("--owner", "ann") == ["karma"]
    assert found("--entity", "content", "--type", "string") == ["user_id"]
    assert len(found()) == 12
    assert here("features", "list", "--search", "nowhere")[1] == "none found\n"


def test_show_tells_who_uses_a_feature_and_how_fresh_it_is(here: Here, home: Path, ledger: SqlLedger) -> None:
    """Values, staleness, last read and written, readers, and the bees that name it."""
    here("features", "define")
    store = LocalFeatureStore(home / "features", wall_clock)
    store.write([Write("c1", "spam_probability", 0.5, wall_clock())])
    store.read(["c1"], ["spam_probability"], now=wall_clock(), reader=Reader("model:x", "serving"))
    store.close()
    (shown,) = rows(here("features", "show", "spam_probability", "--json")[1])
    assert (shown["values"], shown["usedBy"]["bees"]) == (1, ["spam-guard"])
    assert 0 <= shown["staleSeconds"] < 300
    assert shown["lastRead"]
    assert shown["lastWritten"]
    assert [(reader["caller"], reader["purpose"], reader["reads"]) for reader in shown["readers"]] == [
        ("model:x", "serving", 1)
    ]
    text = here("features", "show", "spam_probability")[1]
    assert "used by: the bee spam-guard" in text
    assert here("features", "show", "nope")[0] != 0


def test_usage_counts_what_commands_read_too(here: Here) -> None:
    """A read of one process is told by the next; a feature that is not defined is an error."""
    here("features", "define")
    assert here("features", "usage")[1] == "not read yet\n"
    here("features", "get", "c1", "label", "user_id")
    here("features", "get", "c1", "label")
    assert [
        (item["featureName"], item["caller"], item["reads"]) for item in rows(here("features", "usage", "--json")[1])
    ] == [
        ("label", "cli", 2),
        ("user_id", "cli", 1),
    ]
    assert "label" not in here("features", "usage", "user_id")[1]
    assert here("features", "usage", "nope")[0] != 0


def test_a_deprecation_is_shown_and_taken_back(here: Here) -> None:
    """It stays the version that it was, also when it is defined again."""
    here(*KARMA)
    assert here("features", "deprecate", "karma", "--reason", "use fame")[1] == "karma v1 is deprecated: use fame\n"
    assert "DEPRECATED: use fame" in here("features", "list")[1]
    assert here(*KARMA)[1] == "1 features: karma v1\n"
    assert "DEPRECATED" in here("features", "list")[1]
    assert here("features", "deprecate", "karma", "--undo")[1] == "karma v1 may be used again\n"
    assert "DEPRECATED" not in here("features", "list")[1]
    assert here("features", "deprecate", "karma")[0] == 2


def test_what_the_configuration_defines_is_told_and_stays_deprecated(here: Here) -> None:
    """Each version is told once, also those of config/features, which takes no deprecation back."""
    here("features", "define")
    here("features", "deprecate", "toxicity_score", "--reason", "unfair")
    here("features", "define")

    told = rows(here("events", "--json")[1])
    assert {item["type"] for item in told} == {"feature.defined"}
    assert len(told) == len(rows(here("features", "list", "--json")[1])) + 1
    assert (told[-1]["data"]["feature"], told[-1]["data"]["deprecated"]) == ("toxicity_score", "unfair")
    assert "DEPRECATED: unfair" in here("features", "list")[1]


def test_a_used_feature_is_deleted_only_by_force(here: Here, ledger: SqlLedger) -> None:
    """Who uses it is named; what is computed from it stands against deleting it even then."""
    here("features", "define")
    code, _, errors = here("features", "delete", "spam_probability")
    assert code != 0
    assert "the bee spam-guard" in errors
    computed = ["--type", "number", "--entity", "content", "--computation", "spam_probability * 2"]
    assert here("features", "define", "--name", "twice", *computed)[0] == 0
    code, _, errors = here("features", "delete", "spam_probability", "--force")
    assert code != 0
    assert "twice" in errors
    assert here("features", "delete", "twice")[0] == 0
    code, output, errors = here("features", "delete", "spam_probability", "--force")
    assert (code, output) == (0, "spam_probability is deleted\n")
    assert "left without it: the bee spam-guard" in errors
    assert here("features", "delete", "spam_probability")[0] != 0

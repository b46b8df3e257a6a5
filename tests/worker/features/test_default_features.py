"""The feature files that ship with the colony."""

from pathlib import Path
from typing import Any

import yaml

import config
from worker.features.definition import check_definition
from worker.features.port import Definition

FOLDER = Path(config.__file__).parent / "features"
MISSION = {
    "user": {"user_reputation_score", "user_activity_level", "user_content_quality"},
    "content": {"content_quality_score", "content_engagement_potential", "content_safety_score", "user_id"},
    "interaction": {"spam_probability", "toxicity_score", "engagement_rate"},
    "label": {"label"},
}


def entries() -> list[dict[str, Any]]:
    """Return what stands in all files."""
    return [entry for path in sorted(FOLDER.glob("*.yaml")) for entry in yaml.safe_load(path.read_text())["features"]]


def test_each_is_a_definition_that_a_store_takes() -> None:
    """Every entry has the fields of a definition, and passes its checks."""
    for entry in entries():
        check_definition(Definition(**entry))
        assert entry["description"]


def test_the_nine_are_there_in_their_groups_with_what_leads_to_them() -> None:
    """User features belong to the user, all others to the content; names are unique."""
    groups = {group: {entry["name"] for entry in entries() if entry["group"] == group} for group in MISSION}
    assert groups == MISSION
    assert len(entries()) == 11
    assert {entry["group"]: entry["entity"] for entry in entries()} == {
        "user": "user",
        "content": "content",
        "interaction": "content",
        "label": "content",
    }

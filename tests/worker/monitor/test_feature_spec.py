"""Which features a group is made of."""

from worker.features.port import Definition
from worker.monitor.feature_spec import FeatureGroup, FeatureMonitorSpec
from worker.serving.served import TAG


def test_prediction_logs_are_looked_at_by_name_alone() -> None:
    """All that come in are all but what a server logs of its own, whose versions and volume change by themselves."""
    definitions = {
        "size": Definition("size", "thing", "number"),
        "twice": Definition("twice", "thing", "number", source="computed", computation="size * 2"),
        "bee_score": Definition("bee_score", "thing", "number", tags=(TAG,)),
    }

    def names(*wanted: str) -> list[str]:
        group = FeatureGroup("group", FeatureMonitorSpec(), wanted or None)
        return [one.name for one in group.of(definitions)]

    assert names() == ["size"]
    assert names("bee_score", "twice", "size") == ["bee_score", "size"]

"""The artifact kinds that steps exchange, by the names that KFP gives them."""

_LIST = "list["

DATASET = "system.Dataset"
MODEL = "system.Model"
METRICS = "system.Metrics"
ARTIFACT = "system.Artifact"
HTML = "system.HTML"


def list_of(kind: str) -> str:
    """Return the kind of an input that takes what all runs of a `foreach` step gave, in the order of its items."""
    return f"{_LIST}{kind}]"


def item_kind(kind: str) -> str | None:
    """Return what a list's kind is a list of, None for the kind of a single artifact."""
    return kind.removeprefix(_LIST).removesuffix("]") if kind.startswith(_LIST) else None

"""The bees of a recording from elsewhere: those that are configured, and a stated default for all others."""

from collections.abc import Iterator, Mapping

from worker.bee import BeeSpec
from worker.decide.evaluation import Evaluation
from worker.errors import Rejected
from worker.metric import lower_is_better

#: Stands where no event of a bee has told a metric whose direction is known: then only drift can speak.
NO_METRIC = "score"


class TrustedBees(Mapping[str, BeeSpec]):
    """Configured bees, and every other name with a default spec."""

    def __init__(self, configured: Mapping[str, BeeSpec]) -> None:
        """Begin with what is configured."""
        self._configured = configured
        self._found: dict[str, BeeSpec] = {}
        self._default = default_bee("bee", NO_METRIC)

    def __getitem__(self, name: str) -> BeeSpec:
        """Return a bee's spec; one that no event has told a metric of yet has the default."""
        found = self._configured.get(name) or self._found.get(name)
        return found or self._default.model_copy(update={"bee": name})

    def __contains__(self, name: object) -> bool:
        """Every name is one of a bee: its form was checked before."""
        return isinstance(name, str)

    def __iter__(self) -> Iterator[str]:
        """Go through the bees that are known by now."""
        yield from self._configured
        yield from (name for name in self._found if name not in self._configured)

    def __len__(self) -> int:
        """Return how many are known by now."""
        return sum(1 for _ in self)

    def of(self, evaluation: Evaluation) -> BeeSpec:
        """Return the spec that an evaluation is judged by, told by it if it is the first to tell a metric."""
        name = evaluation.bee
        spec = self._found.get(name) or self._configured.get(name)
        if spec is not None:
            return spec
        metric = _metric(evaluation)
        if metric is None:
            return self[name]
        self._found[name] = default_bee(name, metric)
        return self._found[name]

    @property
    def found(self) -> Mapping[str, str]:
        """Return the bees that are not configured, with the metric that each is judged by."""
        return {name: bee.metric for name, bee in sorted(self._found.items())}


def default_bee(name: str, metric: str) -> BeeSpec:
    """Return the spec of a bee that nobody configured; only its metric matters, since nothing is trained."""
    return BeeSpec(bee=name, task="binary", entity="entity", label="label", features=("feature",), metric=metric)


def _metric(evaluation: Evaluation) -> str | None:
    """Return the first metric with a known direction, one with a value and a baseline before others."""
    known = [name for name in evaluation.metrics if _has_direction(name)]
    whole = [name for name in known if evaluation.baseline.get(name) is not None]
    return next(iter(whole or known), None)


def _has_direction(name: str) -> bool:
    try:
        lower_is_better(name)
    except Rejected:
        return False
    return True

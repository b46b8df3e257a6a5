"""How much there is to learn that the last attempt has not seen: labels that became known since."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from worker.bee import BeeSpec
from worker.errors import ColonyError
from worker.features.fresh import new_labels
from worker.features.port import FeatureStore

log = structlog.get_logger()


@dataclass(frozen=True)
class FreshLabels:
    """Counts a bee's new labels in the feature store, which is opened when it is first asked."""

    features: Callable[[], FeatureStore]

    def __call__(self, bee: BeeSpec, since: datetime, until: datetime) -> int | None:
        """Return how many came in (since, until]; None for a bee without labels, or if the store is away."""
        if not bee.label:
            return None
        if until <= since:
            return 0
        try:
            return new_labels(self.features(), bee, since, until)
        except ColonyError as error:
            log.warning("new labels cannot be counted", bee=bee.bee, reason=str(error))
            return None

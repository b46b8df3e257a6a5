"""How many labels there are that an earlier look has not seen: by when they became known, or by when they were true."""

from datetime import datetime, timedelta

from worker.bee import BeeSpec
from worker.errors import Rejected
from worker.features.port import FeatureStore


def new_labels(store: FeatureStore, bee: BeeSpec, since: datetime, until: datetime) -> int:
    """Return how many of a bee's labels came after `since` and by `until`.

    A bee that respects known-at asks for those that became known then. One that does not has history whose known-at
    says nothing, such as what was imported in one go: there it is those that were true then.

    Raises:
        NotFound: the label is not defined.
        Rejected: it is a feature of another entity.
        TryLater: the store is away.
    """
    if until <= since:
        return 0
    if bee.respect_known_at:
        return store.count_labels(bee.entity, bee.label, known_after=since, known_by=until)
    moment = timedelta(microseconds=1)
    try:
        found = store.observations(
            bee.entity, bee.label, start=since + moment, end=until + moment, respect_known_at=False
        )
    except Rejected:
        if any(item.name == bee.label and item.entity == bee.entity for item in store.definitions()):
            return 0  # nothing is observed of a computed label
        raise
    return len(found)

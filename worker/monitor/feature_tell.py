"""What a look at features is to others: events of the colony, findings and profiles of the ledger, reports to bees."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from worker.clock import to_text
from worker.decide.policy import Policy
from worker.features.port import Definition
from worker.ledger import Transaction
from worker.monitor.finding import FeatureFindings
from worker.publish.events import event_id
from worker.publish.port import Outgoing

if TYPE_CHECKING:
    from worker.monitor.feature_look import Champion, Seen

#: The event that takes a finding to the intake, for one bee.
TYPE = "feature.found"
SOURCE = "//colony/monitor"


def tell(seen: "Seen", transaction: Transaction, now: datetime) -> int:
    """Tell the colony, each feature and window once; keep findings and profiles; return how many findings there are."""
    from worker.monitor.features import drifted_data, stale_data

    told = 0
    for state in seen.states:
        name, window = state.definition.name, state.window
        subject = f"features/{name}"
        events = [("feature.drifted", drifted_data(state))] if state.found else []
        events += [("feature.stale", stale_data(state))] if state.stale else []
        for type_, data in events:
            transaction.outbox.add(subject, type_, f"{subject}/{window.id}", 1, now, data)
        told += len(events)
        since = window.end if events else None
        feeds = tuple(seen.feeds.get(name, ()))
        transaction.features.found(FeatureFindings(name, window.start, window.end, state.all, since, feeds))
    for profile in seen.profiles:
        transaction.features.keep(profile)
    return told


def reports(
    seen: "Seen", champions: Iterable["Champion"], policy: Policy, definitions: Iterable[Definition], as_of: datetime
) -> Iterator[Outgoing]:
    """Yield for the intake what each bee's policy takes for a reason to retrain: one event per bee, feature and window.

    What a computed feature is made of is told under its own name, whoever reads the computed one.
    """
    known = {item.name for item in definitions}
    for bee, version in champions:
        wanted = policy.of(bee.bee).features.trigger
        reads = {name for name in (*bee.features, *bee.entities.values()) if name in known}
        for state in seen.states if wanted else ():
            name, window = state.definition.name, state.window
            read = reads.intersection({name, *seen.feeds.get(name, ())})
            found = [one for one in state.all if one.kind in wanted and one.bee in {"", bee.bee}]
            if not read or not found:
                continue
            subject = f"{bee.bee}/{version.version}/{name}/{window.id}"
            data = {
                "beeId": bee.bee,
                "modelVersion": version.version,
                "feature": name,
                "kinds": list(dict.fromkeys(one.kind for one in found)),
                "findings": [one.words for one in found],
                "evaluatedAt": to_text(as_of),
                "window": {"id": window.id, "start": to_text(window.start), "end": to_text(window.end)},
            }
            yield Outgoing(event_id(TYPE, subject, 0), TYPE, bee.bee, 0, as_of, data, SOURCE)

"""An incident's states and the only ways between them; time and ids are arguments, nothing is read or written.

(triggering evaluation) → retraining → deployed ─(healthy evaluation)→ closed
                             ↑   ├──→ refused ──(healthy evaluation)→ closed
                             │   ├──→ failed ───(healthy evaluation)→ closed
                             │   └──→ escalated ─(healthy evaluation)→ closed
                             └──────── triggering evaluation: the next attempt
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from worker.clock import to_text
from worker.errors import Conflict

#: How long a story may be before further evaluations are no longer noted in it.
MAX_STORY = 500


class State(StrEnum):
    """Where an incident stands."""

    RETRAINING = "retraining"
    DEPLOYED = "deployed"
    REFUSED = "refused"
    FAILED = "failed"
    ESCALATED = "escalated"
    CLOSED = "closed"


@dataclass(frozen=True)
class Incident:
    """One episode.

    Attributes:
        version: the model version that was found bad.
        attempt: 1 for the first run, raised by each further one.
        story: what happened, oldest first: {at, what, …}.
    """

    id: str
    bee: str
    state: State
    attempt: int
    opened_at: datetime
    changed_at: datetime
    version: str
    story: tuple[Mapping[str, Any], ...] = ()

    @property
    def working(self) -> bool:
        """Whether a run of this incident is in flight."""
        return self.state is State.RETRAINING


def incident_id(bee: str, source: str, event_id: str) -> str:
    """Return the id of the incident that this event opens: the same event always opens the same incident."""
    return hashlib.sha256(f"{bee}\n{source}\n{event_id}".encode()).hexdigest()[:24]


def opened(id_: str, bee: str, version: str, reason: str, now: datetime) -> Incident:
    """Return a new incident, its first retrain under way."""
    incident = Incident(id_, bee, State.RETRAINING, 1, now, now, version)
    return _told(incident, now, "opened", reason=reason, attempt=1)


def reopened(incident: Incident, version: str, reason: str, now: datetime) -> Incident:
    """Return the incident with its next attempt under way. Raises Conflict if a run is in flight or it is closed."""
    if incident.working or incident.state is State.CLOSED:
        raise Conflict(f"incident {incident.id} is {incident.state}, it takes no new attempt")
    following = replace(incident, state=State.RETRAINING, attempt=incident.attempt + 1, version=version, changed_at=now)
    return _told(following, now, "retried", reason=reason, attempt=following.attempt)


def attached(incident: Incident, reason: str, now: datetime) -> Incident:
    """Return the incident with one more bad evaluation in its story. Raises Conflict if it is closed."""
    return _noted(incident, now, "attached", reason)


def settled(incident: Incident, state: State, reason: str, run_id: str, now: datetime) -> Incident:
    """Return the incident after its run ended as `state`. Raises Conflict unless a run was in flight."""
    if not incident.working or state in {State.RETRAINING, State.CLOSED}:
        raise Conflict(f"incident {incident.id} is {incident.state}, it cannot become {state}")
    return _told(replace(incident, state=state, changed_at=now), now, str(state), reason=reason, run=run_id)


def recovered(incident: Incident, reason: str, now: datetime) -> Incident:
    """Return the incident closed by a healthy evaluation; one whose run is in flight only notes it.

    Raises:
        Conflict: it is closed already.
    """
    if incident.working or incident.state is State.CLOSED:
        return _noted(incident, now, "healthy", reason)
    return _told(replace(incident, state=State.CLOSED, changed_at=now), now, "closed", reason=reason)


def _noted(incident: Incident, now: datetime, what: str, reason: str) -> Incident:
    if incident.state is State.CLOSED:
        raise Conflict(f"incident {incident.id} is closed, nothing more happens to it")
    # Notes can be many, changes of state are few: a long story loses only notes.
    return incident if len(incident.story) >= MAX_STORY else _told(incident, now, what, reason=reason)


def _told(incident: Incident, now: datetime, what: str, **details: Any) -> Incident:
    return replace(incident, story=(*incident.story, {"at": to_text(now), "what": what, **details}))

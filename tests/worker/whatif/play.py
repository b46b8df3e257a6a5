"""Plays recordings through a what-if, in short words."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from handlers.events import event_handlers
from handlers.events.context import EventContext
from worker.bee import BeeSpec
from worker.cli.event_time import EventTime
from worker.decide.policy import Policy
from worker.intake.port import Message
from worker.whatif.assumptions import Assumptions
from worker.whatif.bees import TrustedBees
from worker.whatif.comparison import Differences
from worker.whatif.run import Case, WhatIf, decided
from worker.whatif.stream import Stream
from worker.whatif.versions import TrustedVersions

DAY = timedelta(days=1)
FIRST = datetime(2002, 8, 1, tzinfo=UTC)
WALL = datetime(2003, 1, 1, tzinfo=UTC)


def told(day: float, f1: float | None = None, *, bee: str = "ant", version: str = "1", **more: Any) -> dict[str, Any]:
    """Return an evaluation of that day (0: the first) against a baseline of 0.9; drift alone without a value."""
    data: dict[str, Any] = {"beeId": bee, "modelVersion": version, "evaluatedAt": (FIRST + day * DAY).isoformat()}
    measured = {"metrics": {"f1": f1}, "baseline": {"f1": 0.9}} if f1 is not None else {"drift": {"detected": False}}
    return {**data, **measured, **more}


def sent(data: Mapping[str, Any], id_: str = "") -> Message:
    """Return the delivery of an evaluation, its id from its content unless told."""
    event = {"specversion": "1.0", "id": id_ or sha256(json.dumps(data).encode()).hexdigest(), "source": "//monitor"}
    return Message(json.dumps({**event, "type": "model.evaluated", "data": data}).encode(), {}, message_id="m")


def play(
    rows: Sequence[Mapping[str, Any] | Message],
    *policies: Policy,
    assumptions: Assumptions | None = None,
    bees: Mapping[str, BeeSpec] | None = None,
    draw: bool = False,
) -> tuple[WhatIf, list[Mapping[str, Any] | None]]:
    """Return the what-if over a recording that is trusted, and the first policy's decisions (None: repeat, letter)."""
    trusted = TrustedBees(bees or {})
    handlers = event_handlers(EventContext(lambda: trusted, Policy, "i"))
    stream = Stream(handlers, EventTime(lambda: WALL), TrustedVersions(), trusted.of)
    taken = policies or (Policy(),)
    cases = [Case(f"p{n}", policy, assumptions or Assumptions(), draw=draw) for n, policy in enumerate(taken)]
    whatif = WhatIf(cases, Differences() if len(cases) == 2 else None)
    said = []
    for row in rows:
        item = stream.item(row if isinstance(row, Message) else sent(row))
        found, _ = whatif.take(item)
        said.append(decided(item, found, taken[0].version) if found else None)
    whatif.finish()
    return whatif, said


def actions(said: Sequence[Mapping[str, Any] | None]) -> list[str]:
    """Return the actions; `-` where nothing was decided."""
    return [str(one["action"]) if one else "-" for one in said]

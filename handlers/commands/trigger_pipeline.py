"""Trigger a pipeline by hand: one run, idempotent by key."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from worker.bee import BeeSpec
from worker.clock import to_text
from worker.errors import Conflict, Rejected
from worker.ledger import Ledger, Transaction
from worker.pipelines.filled import check_filled
from worker.pipelines.parameters import given
from worker.pipelines.template import Template
from worker.runs.lifecycle import Run, run_id
from worker.runs.port import Asked
from worker.runs.request import request_run


@dataclass(frozen=True)
class TriggerPipeline:
    """The command.

    Attributes:
        as_of: the event time that bounds the data; None for now.
        key: names the request; the same key again is the same run.
        parameters: values for the template's parameters; `beeId` is added.
    """

    template: str
    bee: str
    as_of: datetime | None
    key: str
    reason: str = "asked for by an operator"
    parameters: Mapping[str, Any] = field(default_factory=dict)


def trigger_pipeline(
    command: TriggerPipeline,
    ledger: Ledger,
    bees: Mapping[str, BeeSpec],
    templates: Mapping[str, Template],
    now: datetime,
    ready: Callable[[BeeSpec], None] = lambda _: None,
) -> Run:
    """Ask for a run and return it; the same key again returns the first one.

    Args:
        command: what is asked for.
        ledger: where the run is kept.
        bees: name -> spec.
        templates: name -> template.
        now: when it is asked for.
        ready: checks that what the bee's trainer needs is configured, before anything starts; raises Rejected.

    Raises:
        Rejected: unknown bee or template, a faulty template, a wrong parameter, an `as_of` in the future, or a key that
            has asked for something else.
        Conflict: the bee has another run in flight that may change its champion, and so may this one.
    """
    template = _checked(command, bees, templates, now)
    ready(bees[command.bee])
    run = Run(
        id=run_id(command.template, command.bee, ledger.installation, "key", command.key),
        template=command.template,
        bee=command.bee,
        trigger="manual",
        reason=command.reason,
        as_of=command.as_of or now,
        created_at=now,
        parameters={**command.parameters, "beeId": command.bee},
        loop=template.loop,
    )
    with ledger.begin() as transaction:
        transaction.lock([command.bee])
        _keep_key(command, run, transaction, now)
        existing = transaction.runs.get(run.id)
        if existing:
            _check_same(command, existing)
            return existing
        active = transaction.runs.in_flight(command.bee) if run.loop else None
        if active:
            state = f"{active.id} ({active.status})"
            raise Conflict(f"{command.bee} has a run in flight: {state}; wait for its end, or cancel it")
        request_run(run, transaction, now)
    return run


def _keep_key(command: TriggerPipeline, run: Run, transaction: Transaction, now: datetime) -> None:
    asked = Asked(_fingerprint(command), run.id)
    if transaction.request_keys.take(command.key, asked, now) != asked:
        raise _taken()


def _check_same(command: TriggerPipeline, run: Run) -> None:
    """Hold an old run, whose key has been forgotten, against what is asked for now."""
    as_of = command.as_of or run.created_at
    if (command.reason, as_of, {**command.parameters, "beeId": command.bee}) != (run.reason, run.as_of, run.parameters):
        raise _taken()


def _taken() -> Rejected:
    mend = "give each request a key of its own"
    return Rejected("this key has asked for something else before", field="Idempotency-Key", mend=mend)


def _fingerprint(command: TriggerPipeline) -> str:
    as_of = command.as_of and to_text(command.as_of)
    parts = [command.template, command.bee, as_of, command.reason, dict(command.parameters)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _checked(
    command: TriggerPipeline, bees: Mapping[str, BeeSpec], templates: Mapping[str, Template], now: datetime
) -> Template:
    if command.bee not in bees:
        known = ", ".join(sorted(bees)) or "none"
        raise Rejected(f"there is no bee {command.bee!r}", field="parameters.beeId", mend=f"one of: {known}")
    if command.template not in templates:
        known = ", ".join(sorted(templates)) or "none"
        raise Rejected(f"there is no template {command.template!r}", field="pipeline", mend=f"one of: {known}")
    if command.as_of and command.as_of > now:
        raise Rejected("lies in the future", field="parameters.asOf", mend="give a time that has passed")
    template = templates[command.template]
    given(template.declared, command.parameters)
    check_filled(template, {**command.parameters, "beeId": command.bee})
    return template

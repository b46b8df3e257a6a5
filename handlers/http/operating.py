"""What the API takes and gives where people operate the colony: incidents, approvals, pauses, and why."""
# ruff: noqa: N815 - the API is camelCase

from typing import Annotated

from fastapi import Path, Request
from pydantic import BaseModel, Field

from handlers.commands.operator import Operator
from handlers.http.authentication import token_known
from handlers.http.cost_shapes import CostSums
from handlers.http.services import Services
from handlers.http.shapes import BeeId, Body, Json, Moment, Reason
from worker.access.token import Caller

IncidentName = Annotated[str, Path(pattern="^[a-z0-9]{1,64}$", description="As `incidents` lists it.")]
ApprovalName = Annotated[str, Path(pattern="^[a-z0-9]{1,64}$", description="As `approvals` lists it.")]


class TimelineEntry(BaseModel):
    """One line of an incident's story, in words."""

    at: str
    what: str
    said: str
    details: list[str]


class IncidentShown(BaseModel):
    """An episode of a bee's model being bad: what it waits for, what happens next, and its story."""

    incidentId: str
    beeId: str
    modelVersion: str
    state: str
    attempt: int
    openedAt: str
    changedAt: str
    waitsFor: str | None
    waitsUntil: str | None
    next: str
    cost: CostSums
    story: list[Json]
    timeline: list[TimelineEntry]


class IncidentPage(BaseModel):
    """Incidents, newest first; `nextCursor` leads to older ones."""

    incidents: list[IncidentShown]
    nextCursor: str | None


class ReasonRequest(Body):
    """Why, for whoever is on call next."""

    reason: Reason


class ApproveRequest(Body):
    """Why, if there is something to say."""

    reason: Annotated[str, Field(max_length=2000, examples=["the gate's numbers are good"])] = ""


class RetryShown(BaseModel):
    """What followed from asking for another attempt: the run that begins, or none while something holds it back."""

    incident: IncidentShown
    runId: str | None


class ApprovalShown(BaseModel):
    """A question to a person: may a run begin, may a version go into production; its evidence, and its answer."""

    approvalId: str
    kind: str
    beeId: str
    incidentId: str | None
    runId: str | None
    attempt: int
    version: str | None
    askedAt: str
    expiresAt: str
    onExpiry: str
    evidence: Json
    answer: str
    by: str | None
    answeredAt: str | None
    reason: str | None


class ApprovalPage(BaseModel):
    """Questions, newest first; `nextCursor` leads to older ones."""

    approvals: list[ApprovalShown]
    nextCursor: str | None


class AnswerShown(BaseModel):
    """What followed from an answer, in words; `runId` is the run that begins."""

    approval: ApprovalShown
    said: str
    runId: str | None


class PauseRequest(Body):
    """What to pause (without a bee the whole colony), why, and until when (default: until it is resumed)."""

    beeId: BeeId | None = None
    reason: Reason
    until: Moment | None = None


class ResumeRequest(Body):
    """What to resume; without a bee the colony."""

    beeId: BeeId | None = None


class PauseShown(BaseModel):
    """A pause; `beeId` is null for the colony's."""

    beeId: str | None
    by: str
    reason: str
    since: str
    until: str | None


class PauseList(BaseModel):
    """What is paused, the colony first."""

    pauses: list[PauseShown]


class WhyLine(BaseModel):
    """One rule, guard, or thing that happened."""

    name: str
    outcome: str
    why: str
    inputs: Json


class WhySection(BaseModel):
    """A heading and what stands under it."""

    title: str
    lines: list[WhyLine]


class Why(BaseModel):
    """An answer to why: sentences, every rule and guard in order with what it saw, and what happens next."""

    subject: str
    kind: str
    summary: list[str]
    sections: list[WhySection]
    next: str


class WhyList(BaseModel):
    """The answers: more than one where events of different sources have the same id."""

    explanations: list[Why]


def operator(services: Services, request: Request) -> Operator:
    """Return who acts, with what they act on."""
    caller: Caller = request.state.caller
    name = f"token {caller.name}" if token_known(caller) and caller.name != "local" else caller.name
    return as_operator(services, name)


def as_operator(services: Services, name: str) -> Operator:
    """Return somebody of that name, with what they act on."""
    now, asked = services.clock(), (services.new_labels, services.typical)
    return Operator(name, services.ledger, services.bees(), services.policy(), now, *asked)

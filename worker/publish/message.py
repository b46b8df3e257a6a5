"""What people read of an event in their chat: a text, and its facts as fields; in the form of Slack's webhooks."""

from collections.abc import Mapping
from typing import Any

from worker.publish.port import Outgoing

_TITLES = {
    "approval.requested": "a person's approval is asked for",
    "breaker.opened": "a circuit breaker has opened",
    "budget.exceeded": "a budget is used up",
    "evaluation.missing": "evaluations have stopped",
    "incident.escalated": "an incident needs a person",
}
_COLOURS = {"approval.requested": "#439FE0", "incident.escalated": "danger"}
_FIELDS = {
    "modelVersion": "Version", "version": "New version", "attempts": "Attempts", "attempt": "Attempt", "kind": "What",
    "estimatedCost": "Estimated cost", "expiresAt": "Expires", "onExpiry": "Silence means", "scope": "Whose",
    "budget": "Budget", "period": "Period", "until": "Until", "failures": "Failures", "lastHeardAt": "Last evaluation",
    "expectEvery": "Expected every", "incidentId": "Incident", "runId": "Run", "approvalId": "Approval",
}  # fmt: skip
_MOST = 2500


def message(event: Outgoing, link: str | None = None) -> Mapping[str, Any]:
    """Return the message about an event; `link` leads to where a question can be answered."""
    data = event.data
    title = _TITLES.get(event.type, event.type)
    text = f"*{escaped(event.bee)}*: {title}. {escaped(str(data.get('reason', '')))}"
    facts = {**data, **_of_evidence(data.get("evidence"))}
    fields = [
        {"title": words, "value": escaped(str(facts[name])), "short": len(str(facts[name])) < 40}
        for name, words in {**_FIELDS, **_EVIDENCE}.items()
        if facts.get(name) not in (None, "", [], {})
    ]
    if link:
        fields.append({"title": "Answer", "value": f"<{link}|approve or refuse>", "short": False})
    attachment = {"color": _COLOURS.get(event.type, "warning"), "fallback": title, "fields": fields}
    shown = {"id": event.id, "type": event.type, "beeId": event.bee, "data": dict(data)}
    return {"text": text, "attachments": [attachment], "event": shown}


def trial() -> Mapping[str, Any]:
    """Return a message that only says that messages arrive; its event's type is none that anything tells."""
    text = "*colony*: this is a test of `colony doctor --webhook`: messages arrive here. Nothing is to be done."
    return {"text": text, "attachments": [], "event": {"id": "test", "type": "webhook.test", "beeId": "", "data": {}}}


_EVIDENCE = {"gateWords": "Gate", "cost": "Cost of the run"}


def _of_evidence(evidence: Any) -> dict[str, Any]:
    if not isinstance(evidence, Mapping):
        return {}
    gate = evidence.get("gate")
    found: dict[str, Any] = {"cost": evidence.get("cost")}
    if isinstance(gate, Mapping):
        names = ("champion", "challenger", "lower", "upper")
        champion, challenger, lower, upper = (_number(gate.get(name)) for name in names)
        numbers = f"{gate.get('metric')} {champion} → {challenger}, difference {lower} to {upper}"
        found["gateWords"] = f"{numbers}, {gate.get('rows')} unseen rows"
    return found


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "undefined"


def escaped(text: str) -> str:
    """Return a text that cannot mention anyone or make links: reasons may come from outside."""
    short = text if len(text) <= _MOST else f"{text[:_MOST]}…"
    return short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

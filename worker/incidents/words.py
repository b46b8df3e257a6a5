"""An incident's story as a person reads it: what happened, line by line, and what happens next; pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.clock import to_text
from worker.incidents.approval import Answer, Question
from worker.incidents.machine import WAITING, Incident, State

_SAID = {
    "opened": "the model was found bad",
    "held": "the next attempt waits",
    "attached": "another bad evaluation",
    "healthy": "an evaluation finds the model well",
    "unrecovered": "an evaluation finds the model well, but not as before the incident",
    "deployed": "the new model went into production",
    "rollout": "the new model is being rolled out",
    "advanced": "the rollout goes on",
    "gated": "the new model passed its gate",
    "refused": "the new model was refused",
    "failed": "the attempt failed",
    "cancelled": "a person cancelled the run",
    "rolled_back": "the new model was taken back",
    "approved": "approved",
    "retry": "another attempt was asked for",
    "escalated": "handed to a person",
    "closed": "closed",
}


@dataclass(frozen=True)
class Entry:
    """One line of a story: when, what, and the sentences to it."""

    at: str
    what: str
    said: str
    details: tuple[str, ...] = ()


def told(incident: Incident, runs: Mapping[int, str], questions: Sequence[Question] = ()) -> list[Entry]:
    """Return an incident's story, oldest first.

    Args:
        incident: whose.
        runs: attempt → the id of its run.
        questions: what people were asked about it.
    """
    entries = [*(_entry(item, runs) for item in incident.story), *_asked(questions)]
    return sorted(entries, key=lambda entry: entry.at)


def _entry(item: Mapping[str, Any], runs: Mapping[int, str]) -> Entry:
    what, reason = str(item["what"]), str(item.get("reason", ""))
    said = f"attempt {item.get('attempt')} begins" if what == "retraining" else _SAID.get(what, what)
    by = f" by {item['by']}" if item.get("by") else ""
    until = f" (until {item['until']})" if item.get("until") and str(item["until"]) not in reason else ""
    return Entry(str(item["at"]), what, f"{said}{by}{': ' if reason else ''}{reason}{until}", _details(item, runs))


def _details(item: Mapping[str, Any], runs: Mapping[int, str]) -> tuple[str, ...]:
    found = [f"run {item['run']}"] if item.get("run") else []
    if item["what"] == "retraining" and runs.get(item.get("attempt", 0)):
        found.append(f"run {runs[item['attempt']]}")
    if item["what"] == "retraining":
        # What holds back is the reason of its line; what let through stands nowhere else.
        passed = (check for check in item.get("checks", []) if check["outcome"] == "passed")
        found += [f"{check['name']}: {check['why']}" for check in passed]
    return tuple(found)


def _asked(questions: Sequence[Question]) -> Iterator[Entry]:
    for one in questions:
        what = "version " + str(one.version) if one.version else f"attempt {one.attempt}"
        asked = f"a person is asked to approve {what} until {to_text(one.expires_at)}; silence means {one.on_expiry}"
        yield Entry(to_text(one.asked_at), "asked", asked, (f"approval {one.id}",))
        if one.ruled_at is not None and one.answer is not Answer.WAITING:
            by, why = f" by {one.by}" if one.by else "", f": {one.reason}" if one.reason else ""
            yield Entry(to_text(one.ruled_at), "answered", f"approval {one.id} is {one.answer}{by}{why}")


def following(incident: Incident, limit: int, windows: int, questions: Sequence[Question] = ()) -> str:
    """Return in a sentence what happens next.

    Args:
        incident: whose.
        limit: how many attempts the policy allows.
        windows: how many data windows must be well before the incident is closed.
        questions: what people were asked about it.
    """
    asked = next((one for one in questions if one.answer is Answer.WAITING), None)
    if asked is not None and incident.state in {*WAITING, State.GATED}:
        what = f"version {asked.version}" if asked.version else f"attempt {asked.attempt}"
        answer = f"`colony approvals approve {asked.id}`, or refuse"
        silence = f"Silence until {to_text(asked.expires_at)} means {asked.on_expiry}"
        return f"A person is to rule on {what}: {answer}. {silence}."
    if incident.state in WAITING:
        return _waiting(incident, limit)
    return _sentence(incident, windows)


def _waiting(incident: Incident, limit: int) -> str:
    waiting, attempt, tries = incident.waiting, incident.attempt + 1, incident.tries + 1
    of = f" of {limit}" if attempt == tries <= limit else ""
    why = waiting.why if waiting else "nothing has been tried yet"
    until = waiting.until if waiting else None
    then = f"It is judged again at {to_text(until)}." if until else "It is judged again as soon as that changes."
    if incident.stopped:
        then = f"To begin it now: `colony incident retry {incident.id} --reason …`."
    return f"Attempt {attempt}{of} waits: {why}. {then}"


def _bar(incident: Incident) -> str:
    if incident.baseline is None:
        return ""
    return f" By `verify.recover` only what is near to {incident.baseline:.4g}, as before the incident, is well."


def _sentence(incident: Incident, windows: int) -> str:
    by_hand = f"`colony incident retry {incident.id} --reason …` or `colony incident close {incident.id} --reason …`"
    sentences = {
        State.RETRAINING: f"The run of attempt {incident.attempt} is in flight; its gate decides.",
        State.GATED: "The new version waits for a person's approval.",
        State.ROLLOUT: (
            "The new model is being rolled out, each step on evidence alone. Proven worse, the model before serves "
            "everybody again; proven well, the incident closes. By hand: `colony models promote` or "
            "`colony models rollback`."
        ),
        State.DEPLOYED: (
            f"The new model is being verified: {len(incident.well)} of {windows} data windows were well. If one is "
            "still bad the next attempt begins; if the model is worse than the one before, that one comes back."
            f"{_bar(incident)}"
        ),
        State.ESCALATED: f"Nothing by itself, unless an evaluation finds the model well. A person must act: {by_hand}.",
        State.CLOSED: "Nothing: it is over. The next bad evaluation opens another incident.",
    }
    return sentences[incident.state]

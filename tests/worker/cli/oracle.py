"""A second, naive reading of the rule, from the words of the contract alone: what each message of a recording means.

It shares no code with what it checks, and takes every message the slow way.
"""

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

LOWER = {"log_loss", "rmse", "loss"}
_NUMBER = (int, Decimal)


@dataclass(frozen=True)
class Bee:
    """What a bee is judged by: its metric, the evidence it asks for, its versions with their recorded value."""

    metric: str
    samples: int = 0
    positives: int = 0
    versions: Mapping[str, str | None] = field(default_factory=dict)
    deployed: tuple[str, ...] = ()


@dataclass
class _Known:
    """What has been seen of a bee."""

    champion: str | None = None
    began: dict[str, datetime] = field(default_factory=dict)
    recorded: dict[str, Fraction] = field(default_factory=dict)
    newest: dict[str, datetime] = field(default_factory=dict)
    bad: bool = False


class Oracle:
    """Says of each line what it must be: dead letter, duplicate, refused, stale, none, first (bad) or bad."""

    def __init__(self, bees: Mapping[str, Bee], wall: datetime, *, trusting: bool = False, live: bool = False) -> None:
        """`trusting` takes versions from the recording; `live` has the last deployed one in production all along."""
        self.bees, self.wall, self.trusting, self.live = bees, wall, trusting, live
        self.seen: set[tuple[str, str]] = set()
        self.known: dict[str, _Known] = {}
        self.now = wall

    def say(self, lines: Iterable[bytes]) -> list[str]:
        """Return a word for each line."""
        return [self._line(line, number) for number, line in enumerate(lines)]

    def _line(self, line: bytes, number: int) -> str:
        try:
            key, data, sent = _opened(line, number)
            bee, version, at = str(data["beeId"]), data["modelVersion"], data.get("evaluatedAt")
            when = _time(at) if at is not None else sent
            _check(data)
            if not self.trusting and bee not in self.bees:
                return "dead letter"
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return "dead letter"
        when = when or self.now
        ahead = when > self.wall + timedelta(minutes=5)
        if not ahead:
            self.now = when if self.now == self.wall else max(self.now, when)
        if key in self.seen:
            return "duplicate"
        self.seen.add(key)
        return "refused" if ahead else self._judged(self.bees[bee], bee, str(version), when, data)

    def _judged(self, spec: Bee, name: str, version: str, when: datetime, data: Mapping[str, Any]) -> str:
        bee = self.known.setdefault(name, _Known())
        if not self.trusting and version not in spec.versions:
            return "refused"
        self._produced(spec, bee, version, when)
        base = _fraction((data.get("baseline") or {}).get(spec.metric))
        recorded = spec.versions.get(version)
        if base is None:
            base = bee.recorded.get(version) if self.trusting else None if recorded is None else Fraction(recorded)
        elif self.trusting:
            bee.recorded.setdefault(version, base)
        if version != bee.champion:
            return "none"
        if version in bee.newest and when < bee.newest[version]:
            return "stale"
        bee.newest[version] = when
        return self._ruled(spec, bee, base, data)

    def _produced(self, spec: Bee, bee: _Known, version: str, when: datetime) -> None:
        """Follow which version is in production."""
        if self.live:
            bee.champion = spec.deployed[-1]
        elif self.trusting:
            first = version not in bee.began
            if first and (bee.champion is None or when >= bee.began[bee.champion]):
                bee.champion = version
            bee.began[version] = min(when, bee.began.get(version, when))
        elif version in spec.deployed:
            place = spec.deployed.index
            later = bee.champion is None or place(version) > place(bee.champion)
            bee.champion = version if later else bee.champion

    @staticmethod
    def _ruled(spec: Bee, bee: _Known, base: Fraction | None, data: Mapping[str, Any]) -> str:
        """Apply the mission's rule: severity high, or a drop of more than a fifth."""
        drift, window = data.get("drift"), data.get("window") or {}
        severe = drift is not None and drift.get("detected") is True and drift.get("severity") == "high"
        value = _fraction((data.get("metrics") or {}).get(spec.metric))
        enough = (
            window.get("sampleCount", spec.samples) is None or window.get("sampleCount", spec.samples) >= spec.samples
        )
        positive = window.get("positiveCount")
        enough = enough and (positive is None or positive >= spec.positives)
        drop = None
        if value is not None and base is not None and base != 0 and enough:
            drop = (base - value) / abs(base) * (-1 if spec.metric in LOWER else 1)
        if severe or (drop is not None and drop > Fraction(1, 5)):
            before, bee.bad = bee.bad, True
            return "bad" if before else "first"
        evidence = drop is not None or (value is None and drift is not None and drift.get("detected") is not None)
        bee.bad = bee.bad and not evidence
        return "none"


def _opened(line: bytes, number: int) -> tuple[tuple[str, str], Mapping[str, Any], datetime | None]:
    """Return the key that tells duplicates, the data, and when it was sent."""
    outer = _json(line)
    attributes: Mapping[str, str] = {}
    body, bus_id, published = line, f"line {number}", None
    if "specversion" not in outer and "message" in outer and ("subscription" in outer or "ackId" in outer):
        message = outer["message"]
        attributes, bus_id = message.get("attributes") or {}, message.get("messageId") or bus_id
        published = _time(message["publishTime"]) if message.get("publishTime") else None
        body = base64.b64decode(message.get("data", ""), validate=True)
    inner = _json(body)
    if "ce-id" in attributes:
        head, data = {name[3:]: value for name, value in attributes.items() if name.startswith("ce-")}, inner
    elif "specversion" in inner:
        head, data = dict(inner), inner.get("data")
    else:
        data = inner["data"] if isinstance(inner.get("data"), dict) else inner
        id_ = inner.get("eventId", inner.get("id"))
        if id_ is None:
            id_ = "sha256:" + hashlib.sha256(body).hexdigest() if data.get("evaluatedAt") is not None else bus_id
        type_ = attributes.get("type") or inner.get("type")
        source = attributes.get("source") or inner.get("source") or "//colony/plain"
        head = {"specversion": "1.0", "id": id_, "source": source, "type": type_, "time": inner.get("time")}
    if head.get("specversion") != "1.0" or head.get("type") != "model.evaluated" or not isinstance(data, dict):
        raise ValueError
    if not all(isinstance(head.get(name), str) and head[name] for name in ("id", "source")):
        raise ValueError
    sent = _time(head["time"]) if head.get("time") is not None else published
    return (head["source"], head["id"]), data, sent


def _json(text: bytes) -> dict[str, Any]:
    def number(spelt: str) -> Decimal:
        if not math.isfinite(float(spelt)):
            raise ValueError(spelt)
        return Decimal(spelt)

    found = json.loads(text.decode("utf-8"), parse_float=number, parse_constant=number)
    if not isinstance(found, dict):
        raise TypeError
    return found


def _check(data: Mapping[str, Any]) -> None:
    """Raise ValueError or TypeError for data that are not an evaluation."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", data["beeId"]) or isinstance(data["modelVersion"], bool):
        raise ValueError
    if not isinstance(data["modelVersion"], str | int) or data["modelVersion"] == "":
        raise ValueError
    if data.get("drift") is None and data.get("metrics") is None:
        raise ValueError
    numbers = [*(data.get("metrics") or {}).values(), *(data.get("baseline") or {}).values()]
    counts = [(data.get("window") or {}).get(name) for name in ("sampleCount", "positiveCount")]
    if any(value is not None and (isinstance(value, bool) or not isinstance(value, _NUMBER)) for value in numbers):
        raise ValueError
    if any(value is not None and (type(value) is not int or value < 0) for value in counts):
        raise ValueError
    drift = data.get("drift") or {}
    if not isinstance(drift.get("detected"), bool | None) or not isinstance(drift.get("severity"), str | None):
        raise TypeError


def _fraction(value: Any) -> Fraction | None:
    return None if value is None else Fraction(value)


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.astimezone(UTC)

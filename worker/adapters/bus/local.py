"""The bus of one machine: a recording (or standard input) to read from, and files to write to."""

import base64
import dataclasses
import hashlib
import json
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import structlog

from worker.adapters.bus.appending import append, verify_writable
from worker.adapters.bus.lines import Lines, Record, Records
from worker.adapters.bus.recording import to_message
from worker.adapters.bus.sources import Source, open_source
from worker.adapters.options import Options
from worker.clock import Clock, to_text
from worker.intake.port import Message
from worker.publish.events import structured
from worker.publish.port import Outgoing

#: Pub/Sub's own limit of 10 MB, in base64 with its envelope, has room in it.
LINE_LIMIT = 12 * 1024 * 1024

log = structlog.get_logger(__name__)


class FileSubscription:
    """Reads a recording once, in order, in constant memory; dead letters are appended to a file of JSON Lines.

    A line is a structured CloudEvent, a plain event, or a Pub/Sub message as push delivery or `gcloud … pull` write it.
    """

    def __init__(
        self, path: Path | str, dead_letters: Path, *, line_limit: int = LINE_LIMIT, clock: Clock | None = None
    ) -> None:
        """Read from `path` (`-`: standard input), opened at the first pull.

        Args:
            path: JSON Lines, also gzip, or one or more JSON arrays of messages.
            dead_letters: the file that dead letters are appended to.
            line_limit: the most bytes kept of one line; a longer one is cut and marked `colony-truncated`.
            clock: if given, dead letters carry the time as `at`.
        """
        self._path = str(path)
        self._dead_letters = dead_letters
        self._limit = line_limit
        self._clock = clock
        self._source: Source | None = None
        self._records: Records | None = None
        self._again: deque[Message] = deque()
        self._later: list[tuple[float, Message]] = []
        self._ended = False

    def pull(self, limit: int, wait_s: float) -> Sequence[Message]:
        """Return up to `limit` messages. Raises Rejected if the file cannot be read."""
        until = time.monotonic() + wait_s
        found: list[Message] = []
        while len(found) < limit:
            self._take_due()
            if self._again:
                found.append(self._again.popleft())
            elif (record := self._next()) is not None:
                found.append(self._message(record))
            elif found or time.monotonic() >= until or (self._ended and not self._later):
                break
            elif self._ended:
                next_due = min(due for due, _ in self._later)
                time.sleep(max(0.0, min(next_due, until) - time.monotonic()))
            else:
                self._opened().wait(until - time.monotonic())
        return found

    def ack(self, messages: Sequence[Message]) -> None:
        """A line that was read does not come again."""

    def retry(self, messages: Sequence[Message], after_s: float = 0.0) -> None:
        """Put the messages in front, in their order, or keep them until they are due."""
        again = [dataclasses.replace(one, delivery_attempt=(one.delivery_attempt or 1) + 1) for one in messages]
        if after_s <= 0:
            self._again.extendleft(reversed(again))
        else:
            self._later += [(time.monotonic() + after_s, one) for one in again]

    def dead_letter(self, message: Message, reason: str) -> None:
        """Append the message to the dead letter file, durably. Raises TryLater."""
        entry = {
            "reason": reason,
            "messageId": message.message_id,
            "attributes": dict(message.attributes),
            "data": base64.b64encode(message.body).decode(),
        }
        if self._clock:
            entry["at"] = to_text(self._clock())
        append(self._dead_letters, json.dumps(entry).encode() + b"\n")

    def exhausted(self) -> bool:
        """Whether the end was reached and nothing was given back."""
        return self._ended and not self._again and not self._later

    def verify(self) -> None:
        """Open the recording, and the dead letter file for writing. Raises Rejected, TryLater."""
        self._opened()
        verify_writable(self._dead_letters)

    def close(self) -> None:
        """Close the recording."""
        if self._source:
            self._source.close()
            self._source, self._records, self._ended = None, None, True

    def _take_due(self) -> None:
        if self._later:
            now = time.monotonic()
            self._again.extend(message for due, message in self._later if due <= now)
            self._later = [(due, message) for due, message in self._later if due > now]

    def _opened(self) -> Source:
        if self._source is None:
            self._source = open_source(self._path)
            self._records = Lines(self._source.read, self._limit).records()
        return self._source

    def _next(self) -> Record | None:
        if self._ended:
            return None
        self._opened()
        try:
            return next(self._records) if self._records else None
        except StopIteration:
            self._ended = True
            return None

    def _message(self, record: Record) -> Message:
        digest = self._opened().digest or hashlib.sha256(record.content).hexdigest()
        return to_message(record, digest)


class NoSubscription:
    """For a worker that takes no messages: nothing ever comes."""

    def __init__(self) -> None:
        """Nothing to open."""
        self._closed = threading.Event()

    def pull(self, limit: int, wait_s: float) -> Sequence[Message]:  # noqa: ARG002 the port's signature
        """Wait, and return nothing."""
        self._closed.wait(wait_s)
        return ()

    def ack(self, messages: Sequence[Message]) -> None:
        """Nothing was given out."""

    def retry(self, messages: Sequence[Message], after_s: float = 0.0) -> None:
        """Nothing was given out."""

    def dead_letter(self, message: Message, reason: str) -> None:
        """Nothing was given out."""

    def exhausted(self) -> bool:
        """There is nothing to come."""
        return True

    def verify(self) -> None:
        """Nothing can be wrong."""

    def close(self) -> None:
        """End a waiting pull."""
        self._closed.set()


class FileTopic:
    """Appends events as structured CloudEvents to a file of JSON Lines that several processes may share."""

    def __init__(self, path: Path, *, schemas: str = "") -> None:
        """Write to `path`, made at the first event; `schemas` is the public URL below which schemas are served."""
        self._path = path
        self._schemas = schemas

    def publish(self, events: Sequence[Outgoing]) -> Sequence[str]:
        """Append the events in one durable write and return their ids. Raises TryLater: nothing was written."""
        lines: dict[str, bytes] = {}
        blocked: set[str] = set()
        for event in events:
            try:
                if event.bee not in blocked:
                    lines[event.id] = json.dumps(structured(event, self._schemas), allow_nan=False).encode() + b"\n"
            except (TypeError, ValueError):
                blocked.add(event.bee)
                log.exception("event cannot be written as JSON", event_id=event.id, bee=event.bee)
        if lines:
            append(self._path, b"".join(lines.values()))
        return list(lines)

    def verify(self) -> None:
        """Open the file for writing. Raises TryLater."""
        verify_writable(self._path)

    def close(self) -> None:
        """Every line is on disk already."""


def subscription_from(options: Options) -> FileSubscription | NoSubscription:
    """Return a reader of the source, or one that never gives anything."""
    if options.source is None:
        return NoSubscription()
    return FileSubscription(options.source, options.home / "dead-letters.jsonl", clock=options.clock)


def topic_from(options: Options) -> FileTopic:
    """Return the file of what was published, `events.jsonl` under the data directory."""
    return FileTopic(options.home / "events.jsonl", schemas=str(options.values.get("public_url", "")).rstrip("/"))


def intake_topic_from(_options: Options) -> None:
    """Return None: events for the intake of this machine are handed to it, its ledger is the queue."""

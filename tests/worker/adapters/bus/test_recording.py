import base64
import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.adapters.bus.lines import Lines
from worker.adapters.bus.local import FileSubscription
from worker.errors import Rejected
from worker.intake.port import Message

PLAIN = b'{"type": "model.evaluated", "beeId": "b"}'
CLOUD_EVENT = b'{"specversion": "1.0", "id": "1", "type": "model.evaluated", "source": "s", "data": {}}'
Read = Callable[..., list[Message]]


@pytest.fixture(name="read")
def _read(tmp_path: Path) -> Read:
    """Write bytes to a file and read all messages of it."""

    def read(content: bytes, name: str = "in.jsonl", **options: Any) -> list[Message]:
        path = tmp_path / name
        path.write_bytes(content)
        subscription = FileSubscription(path, tmp_path / "dead.jsonl", **options)
        found: list[Message] = []
        while not subscription.exhausted():
            found += subscription.pull(3, 0)
        subscription.close()
        return found

    return read


def delivered(body: bytes, **more: Any) -> dict[str, Any]:
    """Return a message as Pub/Sub writes it in JSON."""
    inner = {"data": base64.b64encode(body).decode(), "attributes": {"ce-id": "7"}, "messageId": "42"}
    return inner | {"publishTime": "2002-09-28T01:02:03.123456789Z"} | more


def test_plain_lines_and_cloud_events(read: Read) -> None:
    """A plain event has no attributes, a structured CloudEvent is marked as one, and both bodies are the line."""
    plain, cloud = read(PLAIN + b"\n\n  \r\n" + CLOUD_EVENT + b"\r\n")

    assert (plain.body, plain.attributes) == (PLAIN, {})
    assert (cloud.body, cloud.attributes) == (CLOUD_EVENT, {"content-type": "application/cloudevents+json"})


def test_the_id_of_a_line_is_the_file_and_the_line(read: Read) -> None:
    """A line without an id of its own has the hash of the content and its number, compressed or not."""
    content = b"\n" + PLAIN + b"\n" + PLAIN
    digest = hashlib.sha256(content).hexdigest()

    expected = [f"{digest}:2", f"{digest}:3"]
    assert [one.message_id for one in read(content)] == expected
    assert [one.message_id for one in read(gzip.compress(content), "in.jsonl.gz")] == expected


def test_push_delivery_is_unwrapped(read: Read) -> None:
    """A push delivery gives the body, attributes, id and publish time of its message."""
    (message,) = read(json.dumps({"message": delivered(b"\xff body"), "subscription": "s"}).encode())

    assert (message.body, message.attributes, message.message_id) == (b"\xff body", {"ce-id": "7"}, "42")
    assert message.published_at == datetime(2002, 9, 28, 1, 2, 3, 123456, UTC)


@pytest.mark.parametrize("indent", [None, 2])
def test_what_gcloud_writes_is_read(read: Read, indent: int | None) -> None:
    """Arrays as `gcloud … pull --format=json` writes them, several and empty ones, between lines, are unwrapped."""
    bodies = [b"a]}", b'b"\\', b"\n[{"]
    array = json.dumps(
        [{"ackId": "x", "deliveryAttempt": 3, "message": delivered(one)} for one in bodies], indent=indent
    ).encode()

    messages = read(PLAIN + b"\n[]\n" + array + b"\n" + array + CLOUD_EVENT + b"\n" + PLAIN)

    assert [one.body for one in messages] == [PLAIN, *bodies, *bodies, CLOUD_EVENT, PLAIN]
    assert messages[1].delivery_attempt == 3


def test_gclouds_own_alphabet_of_base64(read: Read) -> None:
    """`gcloud` writes base64 with - and _; that is read like + and /."""
    body = b"\xfb\xff\xfe>>>???"
    message = delivered(body, data=base64.urlsafe_b64encode(body).decode())

    assert read(json.dumps({"ackId": "x", "message": message}).encode())[0].body == body


@pytest.mark.parametrize(
    "line",
    [
        b"{not json",
        b"\xff\xfe",
        b'"text"',
        b"[1, 2]",
        b"[broken",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"subscription": "s", "message": {"data": "***"}}',
        b'{"subscription": "s", "message": {"data": "YQ==", "attributes": {"n": 1}}}',
        b'{"subscription": "s", "message": {"data": "YQ==", "publishTime": "yesterday"}}',
        b'{"subscription": "s", "message": "text"}',
        b'{"message": {"data": "YQ=="}}',
    ],
)
def test_what_is_not_understood_is_a_body(read: Read, line: bytes) -> None:
    """A line that is broken, or no delivery, comes out as it is, and the lines around it are whole."""
    assert [one.body for one in read(PLAIN + b"\n" + line + b"\n" + CLOUD_EVENT)] == [PLAIN, line, CLOUD_EVENT]


def test_an_array_that_breaks_off_loses_no_later_line(read: Read) -> None:
    """After an array that was cut in the middle of an element, whole records that follow are still found."""
    whole = json.dumps(
        [{"ackId": "x", "message": delivered(b"1")}, {"ackId": "y", "message": delivered(b"2")}], indent=1
    )
    cut = whole.encode()[: whole.index('"y"') + 2]

    bodies = [one.body for one in read(cut + b"\n" + CLOUD_EVENT + b"\n" + PLAIN + b"\n")]

    assert bodies[0] == b"1"
    assert bodies[-2:] == [CLOUD_EVENT, PLAIN]


def test_a_line_over_the_limit_is_cut_and_marked(read: Read) -> None:
    """A line that is too long keeps its beginning and tells its size; its neighbours are whole."""
    before, long, after = read(PLAIN + b"\n" + b"x" * 200_000 + b"\n" + PLAIN, line_limit=1000)

    assert (long.body, long.attributes) == (b"x" * 1000, {"colony-truncated": "200000"})
    assert (before.body, after.body) == (PLAIN, PLAIN)


def test_memory_stays_constant(tmp_path: Path) -> None:
    """A line of 200 MB is read within 100 MB of memory beyond what the imports take."""
    path = tmp_path / "big.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(200):
            file.write(b"x" * 1_000_000)
        file.write(b"\n" + PLAIN)
    code = (
        "import resource, sys; from pathlib import Path; from worker.adapters.bus.local import FileSubscription\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "s = FileSubscription(sys.argv[1], Path('none'))\n"
        "bodies = [len(m.body) for m in s.pull(9, 0)]\n"
        "print(bodies, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)

    sizes, _, grown_kb = done.stdout.rpartition(" ")
    assert sizes == f"[{12 * 1024 * 1024}, {len(PLAIN)}]"
    assert int(grown_kb) < 100_000


@pytest.mark.parametrize("name", ["missing.jsonl", "folder", "broken.jsonl.gz"])
def test_what_cannot_be_read_is_refused_with_its_name(tmp_path: Path, name: str) -> None:
    """A missing file, a folder and a broken gzip file are Rejected; the field is the path."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken.jsonl.gz").write_bytes(gzip.compress(PLAIN * 1000)[:-20])
    path = tmp_path / name
    for ask in (lambda s: s.pull(1, 0), lambda s: s.verify()):
        with pytest.raises(Rejected) as refused:
            ask(FileSubscription(path if name != "folder" else "/dev/null/x", tmp_path / "dead"))
        assert refused.value.mend


def test_standard_input_gives_what_has_come(tmp_path: Path) -> None:
    """A pull from a pipe does not wait for more than there is; half a line waits for its other half."""
    reading, writing = os.pipe()
    subscription = FileSubscription(f"/dev/fd/{reading}", tmp_path / "dead.jsonl")

    assert subscription.pull(5, 0.05) == []
    os.write(writing, PLAIN + b"\n" + CLOUD_EVENT[:10])
    (first,) = subscription.pull(5, 5)
    os.write(writing, CLOUD_EVENT[10:] + b"\n")
    (second,) = subscription.pull(5, 5)
    os.close(writing)

    assert (first.body, second.body) == (PLAIN, CLOUD_EVENT)
    assert first.message_id == f"{hashlib.sha256(PLAIN).hexdigest()}:1"
    assert subscription.pull(5, 5) == []
    assert subscription.exhausted()
    subscription.close()
    os.close(reading)


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line)), st.integers(1, 7))
def test_lines_come_out_whatever_the_pieces(lines: list[bytes], size: int) -> None:
    """However a stream is cut into pieces, its lines that are not blank come out, in order."""
    content = b"\n".join(line.replace(b"[", b"(").replace(b"\r", b" ") for line in lines)
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    cut = [part for piece in pieces for part in piece.splitlines(keepends=True) or [piece]]
    source = iter([part for one in cut for part in _by_newline(one)])

    records = Lines(lambda _: next(source, b""), 1000).records()

    expected = [line for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip(b" \t\r\n")]
    assert [one.content for one in records if one] == expected


def _by_newline(part: bytes) -> list[bytes]:
    head, mark, tail = part.partition(b"\n")
    return [one for one in (head + mark, tail) if one]


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=30), max_size=4), max_size=5), st.integers(1, 9))
def test_array_elements_come_out_whatever_the_pieces(elements: list[dict[str, str]], size: int) -> None:
    """However an array is laid out and cut, its elements come out, whatever stands in their strings."""
    content = json.dumps(elements, indent=1, ensure_ascii=False).encode() + b"\n" + PLAIN
    lines = content.splitlines(keepends=True)
    source = iter([line[start : start + size] for line in lines for start in range(0, len(line), size)])

    found = [json.loads(one.content) for one in Lines(lambda _: next(source, b""), 10_000).records() if one]

    assert found == [*elements, json.loads(PLAIN)]

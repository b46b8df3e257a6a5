import base64
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from worker.adapters.bus.appending import append
from worker.adapters.bus.local import FileSubscription, FileTopic, NoSubscription, subscription_from, topic_from
from worker.adapters.options import Options
from worker.errors import TryLater
from worker.intake.port import Message
from worker.publish.port import Outgoing

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def event(sequence: int, **data: object) -> Outgoing:
    """One outgoing event."""
    return Outgoing(f"id-{sequence}", "model.deployed", "spam-guard", sequence, NOW, data)


@pytest.fixture(name="recording")
def _recording(tmp_path: Path) -> Path:
    """A recording of five lines."""
    path = tmp_path / "in.jsonl"
    path.write_text("".join(f'{{"n": {number}}}\n' for number in range(5)))
    return path


def test_what_is_given_back_for_later_waits(recording: Path, tmp_path: Path) -> None:
    """A message that is to come again later lets the others pass, comes when due, and till then it is not the end."""
    subscription = FileSubscription(recording, tmp_path / "dead.jsonl")
    subscription.retry(subscription.pull(1, 0), 0.05)

    first = [message.body for message in subscription.pull(10, 0)]
    exhausted = subscription.exhausted()
    second = [message.body for message in subscription.pull(10, 20)]

    assert first == [f'{{"n": {number}}}'.encode() for number in range(1, 5)]
    assert (exhausted, second, subscription.exhausted()) == (False, [b'{"n": 0}'], True)


def test_what_is_given_back_comes_first_and_in_order(recording: Path, tmp_path: Path) -> None:
    """Messages that were given back come before the rest of the file, in the order they had."""
    subscription = FileSubscription(recording, tmp_path / "dead.jsonl")
    subscription.retry(subscription.pull(3, 0))

    assert [message.body for message in subscription.pull(10, 0)] == [
        f'{{"n": {number}}}'.encode() for number in range(5)
    ]


def test_a_recording_ends(recording: Path, tmp_path: Path) -> None:
    """The source is exhausted after its last line, and not while a message that was given back waits."""
    subscription = FileSubscription(recording, tmp_path / "dead.jsonl")
    messages = subscription.pull(10, 0)

    assert subscription.exhausted()
    subscription.retry(messages[:1])
    assert not subscription.exhausted()


def test_a_dead_letter_tells_when(recording: Path, tmp_path: Path) -> None:
    """A dead letter has reason, id, attributes, the body in base64, and with a clock the time."""
    subscription = FileSubscription(recording, tmp_path / "new" / "dead.jsonl", clock=lambda: NOW)

    subscription.dead_letter(Message(b"\x00", {"ce-id": "1"}, "m-1"), "because\nof that")

    assert json.loads((tmp_path / "new" / "dead.jsonl").read_text()) == {
        "reason": "because\nof that",
        "messageId": "m-1",
        "attributes": {"ce-id": "1"},
        "data": base64.b64encode(b"\x00").decode(),
        "at": "2026-01-01T00:00:00Z",
    }


def test_published_events_are_structured_cloud_events(tmp_path: Path) -> None:
    """Each line is a CloudEvent with the bee as its subject."""
    FileTopic(tmp_path / "out.jsonl").publish([event(1, version="2")])

    line = json.loads((tmp_path / "out.jsonl").read_text())
    assert (line["specversion"], line["source"], line["subject"]) == ("1.0", "//colony/mlops", "spam-guard")
    assert line["data"] == {"version": "2"}


def test_a_line_that_a_killed_process_left_half_is_ended(tmp_path: Path) -> None:
    """After half a line without an end, the next events start on a line of their own."""
    path = tmp_path / "out.jsonl"
    path.write_bytes(b'{"half')

    FileTopic(path).publish([event(1)])

    assert [line[:6] for line in path.read_bytes().splitlines()] == [b'{"half', b'{"spec']


def test_several_processes_share_a_file(tmp_path: Path) -> None:
    """Four processes that append at once leave only whole lines, all of them."""
    path = tmp_path / "out.jsonl"
    code = (
        "import sys; from pathlib import Path; from worker.adapters.bus.appending import append\n"
        "for number in range(50): append(Path(sys.argv[1]), (sys.argv[2] * 9000 + '\\n').encode() * 2)"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, path, letter]) for letter in "abcd"]

    assert [process.wait(timeout=60) for process in processes] == [0] * 4
    lines = path.read_text().splitlines()
    assert sorted(lines) == sorted(letter * 9000 for letter in "abcd" for _ in range(100))
    assert all(lines[start] == lines[start + 1] for start in range(0, len(lines), 2))


def test_a_full_disk_is_try_later_and_leaves_nothing_half(tmp_path: Path) -> None:
    """When the file cannot grow (a size limit stands for the full disk), nothing of the batch stays behind."""
    path = tmp_path / "out.jsonl"
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from worker.adapters.bus.appending import append; from worker.errors import TryLater\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "append(Path(sys.argv[1]), b'first\\n')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))\n"
        "try: append(Path(sys.argv[1]), b'x' * 5000 + b'\\n')\n"
        "except TryLater as error: print(error)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "append(Path(sys.argv[1]), b'second\\n')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)

    assert "File too large" in done.stdout
    assert path.read_text() == "first\nsecond\n"


def test_a_file_that_cannot_be_made_is_try_later(recording: Path) -> None:
    """Where the way to the file is barred, publishing, dead letters and verify say TryLater with the path."""
    barred = recording / "out.jsonl"

    with pytest.raises(TryLater, match=r"out\.jsonl"):
        FileTopic(barred).publish([event(1)])
    with pytest.raises(TryLater, match=r"out\.jsonl"):
        FileTopic(barred).verify()
    with pytest.raises(TryLater, match=r"out\.jsonl"):
        FileSubscription(recording, barred).dead_letter(Message(b""), "x")


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    """Appending opens and closes its file."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        append(tmp_path / "out.jsonl", b"x\n")

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_worker_without_intake() -> None:
    """The subscription to nothing gives nothing, and has ended."""
    subscription = NoSubscription()
    subscription.verify()

    assert list(subscription.pull(10, 0.01)) == []
    assert subscription.exhausted()


def test_options_choose_files_under_the_data_directory(recording: Path, tmp_path: Path) -> None:
    """From the options come a reader of the source, or of nothing, and files under the data directory."""
    options = Options(tmp_path / "home", lambda: NOW, "me", {}, source=str(recording))
    subscription = subscription_from(options)
    subscription.dead_letter(subscription.pull(1, 0)[0], "x")
    topic_from(options).publish([event(1)])

    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == ["dead-letters.jsonl", "events.jsonl"]
    assert isinstance(subscription_from(Options(tmp_path, lambda: NOW, "me", {})), NoSubscription)

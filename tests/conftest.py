"""The real parts that tests may ask for by a fixture's name, wherever they stand."""

import signal
import threading

import pytest

pytest_plugins = [
    "tests.chat_server",
    "tests.emulators",
    "tests.disks",
    "tests.event_schemas",
    "tests.postgres",
    "tests.webhook_server",
]

# Started in the background by a shell we would hand an ignored Ctrl-C down to every process that a test interrupts.
if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: These take longest; begun last they would keep one worker busy after the other has ended.
_LONGEST = ("story/test_demo", "story/test_google_demo", "story/test_kill", "deploy/test_smoke", "story/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest; the order within a file stays."""

    def place(item: pytest.Item) -> int:
        return next((number for number, name in enumerate(_LONGEST) if name in item.nodeid), len(_LONGEST))

    items.sort(key=place)

"""The real parts that tests may ask for by a fixture's name, wherever they stand."""

import signal
import threading

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

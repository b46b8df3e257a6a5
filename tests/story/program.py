"""A program to be called as `colony` is, whose commands run in one process: Google's clients take seconds to import."""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingUnixStreamServer
from threading import Lock, Thread

from tests.story.one_process import OneProcess

_PROGRAM = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as one:
    one.connect({address!r})
    one.sendall(json.dumps([sys.argv[1:], dict(os.environ)]).encode() + b"\\n")
    code, out, said = json.loads(one.makefile().readline())
sys.stdout.write(out)
sys.stderr.write(said)
sys.stdout.flush()
os._exit(code)
"""


@contextmanager
def program(colony: OneProcess) -> Iterator[Path]:
    """Give the path of the program; it takes its caller's environment, and reads no input."""
    one_at_a_time = Lock()

    class Handler(StreamRequestHandler):
        """Answers one call."""

        def handle(self) -> None:
            """Run the command; nobody is told of one whose process was killed."""
            words, environment = json.loads(self.rfile.readline())
            with one_at_a_time:
                code, out = colony.attempt(*words, environment=environment)
                self.wfile.write(json.dumps([code, out, colony.complained()]).encode() + b"\n")

    # A socket's path must be short.
    with tempfile.TemporaryDirectory() as folder, ThreadingUnixStreamServer(f"{folder}/calls", Handler) as server:
        made = Path(folder, "colony")
        made.write_text(_PROGRAM.format(python=sys.executable, address=server.server_address), encoding="utf-8")
        made.chmod(0o755)
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()

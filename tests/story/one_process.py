"""Many commands in one process: Google's clients take seconds to import. `python FILE` serves them on its input."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from tests.story.loaded_python import stand_in

ROOT = Path(__file__).parents[2]


class OneProcess:
    """The command line, each command in the same process; close it when done."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        """Start the process; what is written to standard error goes to `log`."""
        self._environment, self._log = dict(environment), log
        self._begun = 0
        self._process = self._started()

    def _started(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.story.one_process"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with self._log.open("ab") as errors:
            return subprocess.Popen(command, env=self._environment, cwd=ROOT, stderr=errors, **pipes)

    def kill(self) -> None:
        """Kill the process, whatever it is doing; the next attempt starts another."""
        self._process.kill()

    def run(self, *words: str, code: int = 0) -> str:
        """Run a command, check its exit code, and return its standard output."""
        found, out = self.attempt(*words)
        assert found == code, f"{words}: exit {found}\n{out}\n{self.said()}"
        return out

    def attempt(
        self, *words: str, environment: Mapping[str, str] | None = None, stdin: str | None = None
    ) -> tuple[int | None, str]:
        """Run a command and return its exit code and standard output; None if the process was killed meanwhile."""
        if self._process.poll() is not None:
            self._process.communicate()
            self._process = self._started()
        assert self._process.stdin
        assert self._process.stdout
        asked = {"words": words, "environment": environment and dict(environment), "stdin": stdin}
        self._begun = self._log.stat().st_size
        try:
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return None, ""
        line = self._process.stdout.readline()
        answer = json.loads(line) if line.endswith("\n") else {"code": None, "out": ""}
        return answer["code"], answer["out"]

    def rows(self, *words: str) -> list[dict[str, Any]]:
        """Run a command with --json and return its objects."""
        return [json.loads(line) for line in self.run(*words, "--json").splitlines()]

    def said(self) -> str:
        """Return the end of what was written to standard error."""
        return self._log.read_text()[-4000:]

    def complained(self) -> str:
        """Return what the last command wrote to standard error."""
        return self._log.read_bytes()[self._begun :].decode()

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def serve() -> None:
    """Run each line's command and answer with its exit code and output."""
    from worker.cli.root import run

    with tempfile.TemporaryDirectory() as folder:
        stand_in(Path(folder))
        _answer(run)


def _answer(run: Callable[[], int]) -> None:
    answers, sys.stdout = sys.stdout, sys.stderr
    # Commands read their own input by the number of its descriptor.
    for line in os.fdopen(os.dup(0), encoding="utf-8"):
        asked = json.loads(line)
        if asked["environment"] is not None:
            os.environ.clear()
            os.environ.update(asked["environment"])
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        sys.argv = ["colony", *asked["words"]]
        with tempfile.TemporaryFile() as given, contextlib.redirect_stdout(out):
            given.write((asked["stdin"] or "").encode())
            given.seek(0)
            os.dup2(given.fileno(), 0)
            code = _run(run)
        answers.write(json.dumps({"code": code, "out": out.buffer.getvalue().decode()}) + "\n")
        answers.flush()


def _run(command: Callable[[], int]) -> int:
    """Return the exit code, also of what ends the process by itself or fails as no command should."""
    try:
        return command()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except Exception:  # noqa: BLE001 - what would have been the process's traceback
        traceback.print_exc()
        return 1


if __name__ == "__main__":
    serve()

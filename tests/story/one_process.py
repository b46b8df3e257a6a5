"""Many commands in one process: Google's clients take seconds to import. `python FILE` serves them on its input."""

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]


class OneProcess:
    """The command line, each command in the same process; close it when done."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        """Start the process; what commands write to standard error goes to `log`."""
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.story.one_process"],
                env=dict(environment),
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def run(self, *words: str, code: int = 0) -> str:
        """Run a command, check its exit code, and return its standard output."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"code": "it is gone", "out": ""}')
        assert answer["code"] == code, f"{words}: exit {answer['code']}\n{answer['out']}\n{self.said()}"
        return str(answer["out"])

    def rows(self, *words: str) -> list[dict[str, Any]]:
        """Run a command with --json and return its objects."""
        return [json.loads(line) for line in self.run(*words, "--json").splitlines()]

    def said(self) -> str:
        """Return the end of what was written to standard error."""
        return self._log.read_text()[-4000:]

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

    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        out = io.StringIO()
        sys.argv = ["colony", *json.loads(line)]
        with contextlib.redirect_stdout(out):
            code = run()
        answers.write(json.dumps({"code": code, "out": out.getvalue()}) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve()

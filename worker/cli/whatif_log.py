"""What was said of each event, on disk: a repeat says it again, however many events lie between."""

import json
import tempfile
from array import array
from collections.abc import Mapping
from typing import Any


class DecisionLog:
    """Decisions by the number of their event; 8 bytes of each are in memory, the rest is in a file without a name."""

    def __init__(self) -> None:
        """Nothing is opened before the first decision."""
        self._file: Any = None
        self._places = array("Q")

    def write(self, number: int, said: Mapping[str, Any]) -> None:
        """Keep what was said of event `number`; numbers come without gaps."""
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        if number != len(self._places):
            raise ValueError(f"event {number} where {len(self._places)} is next")
        self._places.append(self._file.seek(0, 2))
        self._file.write(json.dumps(said).encode() + b"\n")

    def read(self, number: int) -> Mapping[str, Any]:
        """Return what was said of an event. Raises IndexError if nothing was."""
        self._file.seek(self._places[number])
        found: Mapping[str, Any] = json.loads(self._file.readline())
        return found

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

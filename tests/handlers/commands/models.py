"""Model files in memory: a model is a digit, and predicts it."""
# ruff: noqa: ARG002 - fakes have the whole signature of their port

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worker.errors import NotFound, Rejected
from worker.models.port import Artifact, Scored


@dataclass
class Digit:
    """Predicts its own digit; keeps what it was asked."""

    digit: int
    metadata: Mapping[str, Any] = field(default_factory=dict)
    asked: list[Mapping[str, Sequence[Any]]] = field(default_factory=list)

    def predict(self, columns: Mapping[str, Sequence[Any]]) -> list[Scored]:
        """Return the digit for one row."""
        self.asked.append(columns)
        return [Scored(float(self.digit), 0.5)]


@dataclass
class Format:
    """Loads digits; `loads` counts how often."""

    loads: int = 0
    last: Digit | None = None

    def load(self, path: Path, sha256: str) -> Digit:
        """Return the model of a file that holds a digit."""
        text = path.read_text()
        if not text.isdecimal():
            raise Rejected(f"{path} is not a model", field="artifact")
        self.loads += 1
        self.last = Digit(int(text), {"features": ["spam_probability"]})
        return self.last

    def adopt(self, source: Path, metadata: Mapping[str, Any], path: Path) -> str:
        """Write a digit that was made elsewhere."""
        return self.dump(source.read_text(), metadata, path)

    def dump(self, estimator: Any, metadata: Mapping[str, Any], path: Path) -> str:
        """Write a digit."""
        path.write_text(str(estimator))
        return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass
class Artifacts:
    """Keeps files in a directory."""

    directory: Path

    def put(self, path: Path) -> Artifact:
        """Keep a file under its hash."""
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        (self.directory / digest).write_bytes(content)
        return Artifact(str(self.directory / digest), digest)

    def fetch(self, artifact: Artifact) -> Path:
        """Return the file."""
        return Path(artifact.uri)

    def verify(self) -> None:
        """All is well."""


@dataclass
class Shelf:
    """Has every file, but those whose hash is among `gone`."""

    gone: tuple[str, ...] = ()

    def put(self, path: Path) -> Artifact:
        """Nothing is put here."""
        raise AssertionError(f"{path} was put where nothing should be")

    def fetch(self, artifact: Artifact) -> Path:
        """Return a path. Raises NotFound for a file that is gone."""
        if artifact.sha256 in self.gone:
            raise NotFound(f"no artifact {artifact.sha256}")
        return Path(artifact.uri)

    def verify(self) -> None:
        """All is well."""

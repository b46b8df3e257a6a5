"""The files of one attempt of a step: its directory, its log's tail, and the outputs that it left."""

import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.adapters.engine.local_lightweight import FILE
from worker.adapters.engine.local_process import kill_if_same
from worker.engine.executor_input import local_path
from worker.engine.inputs import Artifact
from worker.engine.spec import Component
from worker.engine.values import cast, from_json, from_text
from worker.errors import Rejected, TryLater

_TAIL_BYTES = 4096
#: With less than this the log of a failing step may lack the very line that says why.
_ROOM_BYTES = 64 * 1024
#: How large a parameter may be, and all that a step reports: this process holds it in memory.
_MOST_BYTES = 128 * 2**20
#: Where Vertex AI mounts buckets, and where this engine expects them.
_BUCKETS = Path("/gcs")


@dataclass(frozen=True)
class AttemptFiles:
    """Where one attempt works: `steps/<path>/<attempt>` under the run's output directory.

    Attributes:
        uri: the directory as steps and later readers name it (a path, or gs://).
    """

    uri: str

    @classmethod
    def of(cls, output_dir: str, path: str, attempt: int) -> "AttemptFiles":
        """Return the files of an attempt of the step at `path`."""
        return cls(f"{output_dir.rstrip('/')}/steps/{path}/{attempt}")

    @property
    def directory(self) -> Path:
        """The directory on this machine."""
        return Path(local_path(self.uri))

    @property
    def log(self) -> Path:
        """Everything that the step wrote to its standard output and error."""
        return self.directory / "log.txt"

    @property
    def source(self) -> Path:
        """The source of a lightweight component's function."""
        return self.directory / FILE

    @property
    def identity(self) -> Path:
        """Which process the step is or was."""
        return self.directory / "process.json"

    def prepare(self) -> None:
        """Make the directory anew; what a cut attempt left is moved aside, its log is evidence. Raises OSError."""
        directory = self.directory
        if directory.exists():
            number = 1
            while (aside := directory.with_name(f"{directory.name}.cut-{number}")).exists():
                number += 1
            directory.rename(aside)
        directory.mkdir(parents=True)
        for part in ("parameters", "artifacts"):
            (directory / part).mkdir()

    def end_orphan(self) -> bool:
        """Kill the attempt's process if it outlived its worker; whether it did."""
        try:
            return kill_if_same(self.identity.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            return False

    def tail(self) -> str:
        """Return the end of the log, at most 4 KiB, beginning with a whole character."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
                data = file.read(_TAIL_BYTES)
        except OSError:
            return ""
        while data and data[0] & 0xC0 == 0x80:
            data = data[1:]
        return data.decode("utf-8", errors="replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")

    def shortage(self) -> str:
        """Return `; the disk … is full` if it is, which the step itself may not have been able to log; else nothing."""
        try:
            disk = os.statvfs(self.directory.parent)
        except OSError:
            return ""
        full = disk.f_bavail * disk.f_frsize < _ROOM_BYTES or (disk.f_files > 0 and disk.f_favail == 0)
        return f"; the disk of {self.directory} is full" if full else ""

    def outputs(self, component: Component, told: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a succeeded attempt gave: `{parameters: {name: value}, artifacts: {name: [artifact]}}`.

        Raises:
            Rejected: a declared parameter that was not written, or has another type than declared.
        """
        reported = self._reported(str(told["outputs"]["outputFile"]))
        declared = component.output_definitions
        parameters = {
            name: self._parameter(name, one.parameter_type, reported, told["outputs"]["parameters"][name]["outputFile"])
            for name, one in declared.parameters.items()
        }
        artifacts = {
            name: [_merged(told["outputs"]["artifacts"][name]["artifacts"][0], _own(reported, name))]
            for name in declared.artifacts
        }
        return {"parameters": parameters, "artifacts": artifacts}

    def _reported(self, path: str) -> Mapping[str, Any]:
        try:
            found = from_json(_written(Path(path)))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise Rejected(f"executor_output.json cannot be read: {error}") from error
        if not isinstance(found, dict):
            raise Rejected("executor_output.json is no object")
        return found

    def _parameter(self, name: str, declared: Any, reported: Mapping[str, Any], path: str) -> Any:
        values = reported.get("parameterValues", {})
        if isinstance(values, dict) and name in values:
            return cast(values[name], declared, name)
        try:
            return from_text(_written(Path(path)), declared, name)
        except UnicodeDecodeError as error:
            raise Rejected("the step wrote something else than UTF-8", field=name) from error
        except OSError as error:
            raise Rejected("the step did not write this output parameter", field=name) from error


def make_output_dir(output_dir: str) -> None:
    """Create a run's directory and write to it.

    Raises:
        Rejected: a bucket that is not mounted here.
        TryLater: with the cause, if it cannot be written now.
    """
    directory = Path(local_path(output_dir))
    if output_dir.startswith("gs://") and not _BUCKETS.is_dir():
        mend = f"mount the bucket under {_BUCKETS} (gcsfuse), or give a directory"
        raise Rejected(f"{output_dir} is not mounted on this machine", field="outputDir", mend=mend)
    probe = directory / f".probe-{os.getpid()}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"\0" * _TAIL_BYTES)
        probe.unlink()
    except OSError as error:
        raise TryLater(f"cannot write to the run's directory {directory}: {error.strerror or error}") from error


def _written(path: Path) -> str:
    """Return what a step wrote to a file. Raises OSError, UnicodeDecodeError, or Rejected for what must not be read."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise Rejected(f"the step made something else than a file of {path.name!r}")
    if found.st_size > _MOST_BYTES:
        raise Rejected(f"the step wrote {found.st_size} bytes to {path.name!r}, at most {_MOST_BYTES} are taken")
    return path.read_text(encoding="utf-8")


def _own(reported: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return what the step itself reported of an artifact. Raises Rejected if it is not in the form that it must be."""
    own: Any = reported
    for key in ("artifacts", name, "artifacts"):
        own = own.get(key, {}) if isinstance(own, dict) else None
    own = own[0] if isinstance(own, list) and own else own
    if not isinstance(own, dict) or not isinstance(own.get("metadata", {}), dict):
        raise Rejected(f"executor_output.json does not tell of the artifact {name!r} as it should")
    for key in ("uri", "custom_path"):
        if not isinstance(own.get(key) or "", str):
            raise Rejected(f"{key} of the artifact {name!r} in executor_output.json is no text")
    return own


def _merged(artifact: Artifact, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the artifact with the uri and metadata that the step reported; content at a path of its own is moved in.

    Raises:
        Rejected: the content cannot be copied from there.
    """
    uri, elsewhere = own.get("uri") or artifact["uri"], own.get("custom_path")
    if elsewhere:
        _copy(Path(elsewhere), Path(local_path(uri)))
    return {**artifact, "uri": uri, "metadata": {**artifact.get("metadata", {}), **own.get("metadata", {})}}


def _copy(source: Path, target: Path) -> None:
    try:
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source != target:
            shutil.copyfile(source, target)
    except OSError as error:
        raise Rejected(f"an artifact cannot be copied from the path that the step gave it: {error}") from error

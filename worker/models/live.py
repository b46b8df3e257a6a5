"""What a model server serves while more than one version is live: told it as one small JSON object; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from worker.errors import Rejected
from worker.models.port import Artifact, Deployment, ModelVersion
from worker.models.traffic import Traffic

#: More than this is nothing that we have written, in bytes.
LIMIT = 64 * 1024
_MEND = "leave the object alone: the project loop writes it anew"


@dataclass(frozen=True)
class Live:
    """Everything that a server must know.

    Attributes:
        epoch: of the deployment; it only ever grows.
        champion: serves whoever has no entity, and the share of a version that cannot be loaded.
        artifacts: of each version that has a share, and of the champion.
    """

    epoch: int
    champion: str
    traffic: Traffic
    artifacts: Mapping[str, Artifact]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    uri: str
    sha256: str


class _Written(msgspec.Struct):
    """Readers skip what they do not know: servers are replaced later than those who tell them."""

    epoch: int
    champion: str
    split: list[tuple[str, int]]
    salt: str
    versions: dict[str, _File]


def live_of(deployment: Deployment, versions: Sequence[ModelVersion]) -> Live:
    """Return what a deployment means for its servers. Raises KeyError: it names a version that is not registered."""
    known = {version.version: version.artifact for version in versions}
    served = dict.fromkeys([*(name for name, percent in deployment.traffic.split if percent), deployment.version])
    return Live(deployment.epoch, deployment.version, deployment.traffic, {name: known[name] for name in served})


def encoded(live: Live) -> bytes:
    """Return it as JSON; the same again is the same bytes."""
    files = {name: _File(one.uri, one.sha256) for name, one in live.artifacts.items()}
    written = _Written(live.epoch, live.champion, list(live.traffic.split), live.traffic.salt, files)
    return msgspec.json.encode(written, order="sorted")


def decoded(content: bytes) -> Live:
    """Return what was encoded. Raises Rejected: it is not that."""
    try:
        read = msgspec.json.decode(content, type=_Written)
        traffic = Traffic(tuple(read.split), read.salt)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Rejected(
            f"is not what a projection writes: {error}", field="live", mend="leave the object alone"
        ) from error
    artifacts = {name: Artifact(one.uri, one.sha256) for name, one in read.versions.items()}
    lacking = {name for name, percent in traffic.split if percent} | {read.champion}
    if not lacking <= artifacts.keys():
        missing = ", ".join(sorted(lacking - artifacts.keys()))
        raise Rejected(f"names no file of version {missing}", field="live", mend=_MEND)
    return Live(read.epoch, read.champion, traffic, artifacts)

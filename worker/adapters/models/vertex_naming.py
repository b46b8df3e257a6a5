"""What our models, versions and endpoints are called on Vertex AI: always the same, so that they are found again."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from worker.models.port import ModelVersion

_NOT_IN_LABELS = re.compile(r"[^a-z0-9_-]")
_LABEL = 63


@dataclass(frozen=True)
class Naming:
    """The names of one installation's models in one project and region."""

    project: str
    region: str
    installation: str

    @property
    def parent(self) -> str:
        """The location's resource name."""
        return f"projects/{self.project}/locations/{self.region}"

    def id_of(self, bee: str) -> str:
        """Return the id of a bee's model, and of its endpoint: two installations in one project share none."""
        digest = sha256(f"{self.installation}/{bee}".encode()).hexdigest()[:12]
        return f"colony-{digest}-{bee[:40]}".rstrip("-")

    def model(self, bee: str) -> str:
        """Return the resource name of a bee's model."""
        return f"{self.parent}/models/{self.id_of(bee)}"

    def endpoint(self, bee: str) -> str:
        """Return the resource name of a bee's endpoint."""
        return f"{self.parent}/endpoints/{self.id_of(bee)}"

    def key(self, bee: str, version: str) -> str:
        """Return what a version is found again by, in the alphabet of labels."""
        return sha256(f"{self.installation}/{bee}/{version}".encode()).hexdigest()[:20]

    def versions(self, bee: str, versions: Sequence[str]) -> Mapping[str, str]:
        """Return key -> version."""
        return {self.key(bee, version): version for version in versions}

    def labels(self, bee: str) -> dict[str, str]:
        """Return the labels of whatever belongs to a bee."""
        return {"installation": label(self.installation), "bee": label(bee)}

    def version_labels(self, version: ModelVersion) -> dict[str, str]:
        """Return the labels of a version; a hash is cut to what a label holds, its container knows the whole."""
        own = {"colony-version": self.key(version.bee, version.version), "sha256": version.artifact.sha256[:_LABEL]}
        run = {"run": label(version.run_id)} if version.run_id else {}
        return self.labels(version.bee) | own | run

    def deployed(self, bee: str, version: str) -> str:
        """Return the display name of a deployed version, which ends with its key."""
        return f"{bee}-{self.key(bee, version)}"


def label(text: str) -> str:
    """Return a text as a label's value."""
    return _NOT_IN_LABELS.sub("_", text.lower())[-_LABEL:]

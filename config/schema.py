"""YAML → domain values: reports every fault at once, each with file, line, path and mend."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from config.policy_file import PolicyFile
from config.prices_file import PricesFile, laid_over
from config.yaml_file import YamlFile
from worker.bee import BeeSpec, Duration, Value
from worker.costs.prices import PriceList
from worker.decide.policy import Policy
from worker.errors import Rejected
from worker.features.port import Definition
from worker.monitor.feature_spec import FeatureGroup, FeatureMonitorSpec

SHIPPED = Path(__file__).parent
Model = TypeVar("Model", bound=BaseModel)


class _Feature(Value):
    name: str
    entity: str
    type: Literal["number", "string", "boolean", "vector"]
    source: Literal["ingested", "computed"] = "ingested"
    group: str = ""
    description: str = ""
    computation: str | None = None
    ttl: Duration | None = None
    owner: str = ""
    unit: str = ""
    tags: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    deprecated: str = ""


class _FeatureFile(Value):
    features: list[_Feature] = Field(default_factory=list)
    monitor: FeatureMonitorSpec | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.features and self.monitor is None:
            raise ValueError("says nothing; add features, or monitor")
        if self.monitor is not None and not (self.features or self.monitor.features):
            raise ValueError("monitor names no features; add them there: names, or all")
        return self


def layers(overlay: Path | None) -> list[Path]:
    """Return the configuration directories, the shipped one first. Raises Rejected if the overlay is missing."""
    if overlay is None:
        return [SHIPPED]
    if not overlay.is_dir():
        raise Rejected(f"{overlay} is not a directory", field="COLONY_CONFIG", mend="make it, or unset the variable")
    return [SHIPPED, overlay]


def load_bees(directories: Iterable[Path]) -> dict[str, BeeSpec]:
    """Return bee -> spec from `bees/*.yaml`; a later directory's file replaces one of the same bee. Raises Rejected."""
    specs = _each(directories, "bees", BeeSpec)
    faults = [
        f"{file.at(('bee',))}: name the file {spec.bee}.yaml" for file, spec in specs if file.path.stem != spec.bee
    ]
    if faults:
        raise _faults(faults)
    return {spec.bee: spec for _, spec in specs}


def load_features(directories: Iterable[Path]) -> dict[str, Definition]:
    """Return feature -> definition from `features/*.yaml`; a later directory replaces by name. Raises Rejected."""
    found: dict[str, Definition] = {}
    for _, content in _each(directories, "features", _FeatureFile):
        for feature in content.features:
            ttl = feature.ttl or None
            values = feature.model_dump(exclude={"ttl"})
            found[feature.name] = Definition(**values, ttl=ttl)
    return found


def load_feature_groups(directories: Iterable[Path]) -> list[FeatureGroup]:
    """Return the features that are watched, in the groups of `monitor:` in `features/*.yaml`, by the files' names.

    A later directory's file replaces the group of one of the same name. Raises Rejected.
    """
    found: dict[str, FeatureGroup] = {}
    for file, content in _each(directories, "features", _FeatureFile):
        name, spec = file.path.stem, content.monitor
        found.pop(name, None)
        if spec is not None:
            named = tuple(spec.features) or tuple(feature.name for feature in content.features)
            found[name] = FeatureGroup(name, spec, None if spec.features == "all" else named)
    return [found[name] for name in sorted(found)]


def load_policy(directories: Iterable[Path], bees: Collection[str] | None = None) -> Policy:
    """Return the policy of the last directory that has a `policy.yaml`; `bees` as in `read_policy`. Raises Rejected."""
    files = [directory / "policy.yaml" for directory in directories if (directory / "policy.yaml").exists()]
    return read_policy(files[-1], bees) if files else Policy()


def read_policy(path: Path, bees: Collection[str] | None = None) -> Policy:
    """Return the policy of one file, its version the hash of its meaning.

    Args:
        path: the file.
        bees: those that there are; one that the file names beside them is a fault. None: any may be named.

    Raises:
        Rejected: the file is faulty; each fault with its line and its mend.
    """
    faults: list[str] = []
    file = YamlFile(path)
    parsed = _parse(file, PolicyFile, faults)
    if parsed is not None:
        found = [*parsed.faults(), *(() if bees is None else parsed.strangers(bees))]
        faults += [f"{file.at(where)}: {text}" for where, text in found]
    if parsed is None or faults:
        raise _faults(faults)
    return parsed.policy()


def load_prices(directories: Iterable[Path]) -> PriceList:
    """Return the price list of each directory's `prices.yaml`, the later ones laid over. Raises Rejected."""
    faults: list[str] = []
    found: list[PricesFile] = []
    for path in (directory / "prices.yaml" for directory in directories):
        if path.exists():
            parsed = _parse(YamlFile(path), PricesFile, faults)
            found += [parsed] if parsed else []
    if faults:
        raise _faults(faults)
    return laid_over(found)


class TemplateFiles(Mapping[str, YamlFile]):
    """Template name → its file, read when it is asked for: a broken one stops only itself (it raises Rejected)."""

    def __init__(self, paths: Iterable[Path]) -> None:
        """Take the files; of two with the same name the later one counts."""
        self._paths = {path.stem: path for path in paths}
        self._read: dict[str, YamlFile] = {}

    def __getitem__(self, name: str) -> YamlFile:
        """Return a file's content. Raises KeyError or Rejected."""
        if name not in self._read:
            self._read[name] = YamlFile(self._paths[name])
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is such a file, readable or not."""
        return name in self._paths

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self._paths)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._paths)


def load_templates(directories: Iterable[Path], *more: Path) -> TemplateFiles:
    """Return template name -> file from `pipelines/*.yaml`, and `more` files on top of them."""
    found = (path for directory in directories for path in sorted((directory / "pipelines").glob("*.yaml")))
    return TemplateFiles([*found, *more])


def _each(directories: Iterable[Path], folder: str, model: type[Model]) -> list[tuple[YamlFile, Model]]:
    faults: list[str] = []
    found: list[tuple[YamlFile, Model]] = []
    for path in (path for directory in directories for path in sorted((directory / folder).glob("*.yaml"))):
        try:
            file = YamlFile(path)
        except Rejected as error:
            faults.append(str(error))
            continue
        parsed = _parse(file, model, faults)
        if parsed is not None:
            found.append((file, parsed))
    if faults:
        raise _faults(faults)
    return found


def _parse(file: YamlFile, model: type[Model], faults: list[str]) -> Model | None:
    try:
        return model.model_validate(file.content)
    except ValidationError as error:
        for fault in error.errors():
            path = tuple(part for part in fault["loc"] if isinstance(part, str | int))
            faults.append(f"{file.at(path)}: {_said(fault)}")
        return None


def _said(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "no such setting; remove it, or correct its name"
    if fault["type"] == "missing":
        return "is missing; add it"
    said = str(fault["msg"]).removeprefix("Value error, ")
    return f"{said} (it says {str(fault['input'])[:80]!r})"


def _faults(faults: list[str]) -> Rejected:
    return Rejected("\n".join(faults), field="configuration", mend="")

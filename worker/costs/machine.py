"""What a step's machine must have, read from a compiled spec, and as the one line that the ledger keeps of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: What Vertex AI Pipelines takes for a step that asks for nothing.
DEFAULT = "e2-standard-4"
#: Says that a step asks for something that is known only when it runs.
UNKNOWN = "unknown"
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|[EPTGMK]i?)?")
_GB = {name: 10.0 ** (3 * power) / 1e9 for power, name in enumerate(("", "K", "M", "G", "T", "P", "E"))}
_GB |= {f"{name}i": 2.0 ** (10 * power) / 1e9 for power, name in enumerate("KMGTPE", start=1)}


@dataclass(frozen=True)
class Machine:
    """What a step asks for; nothing: the default machine.

    Attributes:
        cpu: cores; memory_gb: in units of 10^9 bytes.
        accelerator: its type as Vertex AI names it; count: how many.
    """

    cpu: float = 0.0
    memory_gb: float = 0.0
    accelerator: str = ""
    count: int = 0

    @property
    def text(self) -> str:
        """The line that `machine_of` reads."""
        parts = [f"cpu={self.cpu:g}" if self.cpu else "", f"memory={self.memory_gb:g}" if self.memory_gb else ""]
        parts.append(f"{self.accelerator}={self.count}" if self.accelerator else "")
        return " ".join(filter(None, parts)) or DEFAULT


def machine_of(text: str) -> Machine | None:
    """Return what a line says; None if it does not say what is asked for."""
    if text == DEFAULT:
        return Machine()
    found = dict(part.split("=", 1) for part in text.split() if "=" in part)
    try:
        cpu, memory = float(found.pop("cpu", "0")), float(found.pop("memory", "0"))
        accelerator, count = next(((name, int(number)) for name, number in found.items()), ("", 0))
    except ValueError:
        return None
    machine = Machine(cpu, memory, accelerator, count)
    return None if machine == Machine() else machine


def asked(container: Mapping[str, Any]) -> str:
    """Return the line of a container of a compiled spec (`deploymentSpec.executors.X.container`)."""
    told = container.get("resources") or {}
    cpu = _quantity(told.get("resourceCpuLimit") or told.get("cpuLimit"), cores=True)
    memory = _quantity(told.get("resourceMemoryLimit") or told.get("memoryLimit"), cores=False)
    card = told.get("accelerator") or {}
    kind = str(card.get("resourceType") or card.get("type") or "")
    count = _quantity(card.get("resourceCount") or card.get("count") or (1 if kind else 0), cores=True)
    if cpu is None or memory is None or count is None or not re.fullmatch(r"[A-Za-z0-9_-]*", kind):
        return UNKNOWN
    return Machine(cpu, memory, kind, int(count) if kind else 0).text


def gigabytes(value: Any) -> Any:
    """Return units of 10^9 bytes of `16G`, `512Mi`, or of a plain number of them.

    Raises:
        ValueError: text in another form.
    """
    found = _quantity(value, cores=False)
    if found is None:
        raise ValueError(f"{value!r} is no amount of memory; write it as 16G or 512Mi")
    return found


def _quantity(value: Any, *, cores: bool) -> float | None:
    """Return cores, or units of 10^9 bytes; None for what is no quantity, as a placeholder.

    A plain number is what the compiler writes beside the text: cores, and memory in units of 10^9 bytes.
    """
    if value is None:
        return 0.0
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    found = _QUANTITY.fullmatch(str(value))
    if not found:
        return None
    number, unit = float(found[1]), found[2] or ""
    if cores:
        return number / 1000 if unit == "m" else number if not unit else None
    return None if unit == "m" else round(number * _GB[unit], 9)


def machines(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return component -> the line of its machine, for all that run in a container."""
    executors = (spec.get("deploymentSpec") or {}).get("executors") or {}
    found = {}
    for name, component in (spec.get("components") or {}).items():
        container = (executors.get(component.get("executorLabel")) or {}).get("container")
        if container is not None:
            found[name] = asked(container)
    return found


def steps(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return each task that runs in a container, by its name for people, with the line of its machine."""
    known = machines(spec)
    found = []
    for component in (spec.get("root") or {}, *(spec.get("components") or {}).values()):
        for key, task in ((component.get("dag") or {}).get("tasks") or {}).items():
            machine = known.get((task.get("componentRef") or {}).get("name", ""))
            if machine is not None:
                found.append(((task.get("taskInfo") or {}).get("name") or key, machine))
    return found


def by_name(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return task's name -> the line of its machine; of two tasks with one name and other machines nothing is known."""
    found: dict[str, str] = {}
    for name, machine in steps(spec):
        found[name] = machine if found.get(name, machine) == machine else UNKNOWN
    return found

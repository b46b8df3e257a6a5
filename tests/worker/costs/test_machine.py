"""What a compiled spec says of the machines of its steps."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.costs.machine import DEFAULT, UNKNOWN, Machine, asked, by_name, gigabytes, machine_of, steps


@pytest.mark.parametrize(
    ("resources", "line"),
    [
        ({}, DEFAULT),
        ({"cpuLimit": 2.0, "memoryLimit": 8.0}, "cpu=2 memory=8"),
        ({"cpuLimit": 2.0, "resourceCpuLimit": "500m", "memoryLimit": 1.0, "resourceMemoryLimit": "512Mi"},
         "cpu=0.5 memory=0.536871"),
        ({"resourceMemoryLimit": "16G"}, "memory=16"),
        ({"accelerator": {"type": "NVIDIA_TESLA_T4", "count": "2"}}, "NVIDIA_TESLA_T4=2"),
        ({"accelerator": {"resourceType": "NVIDIA_L4", "resourceCount": "1"}, "cpuLimit": 4.0}, "cpu=4 NVIDIA_L4=1"),
        ({"resourceCpuLimit": "{{$.inputs.parameters['cpu']}}"}, UNKNOWN),
        ({"resourceMemoryLimit": "much"}, UNKNOWN),
        ({"accelerator": {"resourceType": "{{$.inputs.parameters['card']}}"}}, UNKNOWN),
    ],
)  # fmt: skip
def test_what_a_container_asks_for(resources: dict[str, Any], line: str) -> None:
    """Texts go before numbers, no resources are the default machine, and a placeholder is known only at run time."""
    assert asked({"image": "i", "resources": resources}) == line


@given(
    st.floats(0, 96).map(lambda value: round(value, 2)),
    st.floats(0, 640).map(lambda value: round(value, 2)),
    st.sampled_from(["", "NVIDIA_TESLA_T4"]),
    st.integers(1, 8),
)
def test_a_line_is_read_as_it_was_written(cpu: float, memory: float, card: str, count: int) -> None:
    """The ledger's line says all that is asked for."""
    machine = Machine(cpu, memory, card, count if card else 0)

    assert machine_of(machine.text) == machine


@pytest.mark.parametrize("text", [UNKNOWN, "", "cpu=many", "memory=1 X=one"])
def test_a_line_that_says_nothing(text: str) -> None:
    """What cannot be read is no machine, least of all the default one."""
    assert machine_of(text) is None


def _spec(**executors: dict[str, Any]) -> dict[str, Any]:
    def task(name: str, component: str) -> dict[str, Any]:
        return {"taskInfo": {"name": name}, "componentRef": {"name": component}}

    return {
        "root": {"dag": {"tasks": {"collect-data": task("collect_data", "comp-a"), "loop": task("loop", "comp-loop")}}},
        "components": {
            "comp-a": {"executorLabel": "exec-a"},
            "comp-b": {"executorLabel": "exec-b"},
            "comp-import": {"executorLabel": "exec-import"},
            "comp-loop": {"dag": {"tasks": {"train": task("train", "comp-b"), "import": task("in", "comp-import")}}},
        },
        "deploymentSpec": {"executors": {"exec-a": {"container": {}}, "exec-import": {"importer": {}}, **executors}},
    }


def test_the_steps_of_a_spec() -> None:
    """Each task in a container has its machine, inside loops too; groups and imports have none."""
    spec = _spec(**{"exec-b": {"container": {"resources": {"cpuLimit": 8.0}}}})

    assert steps(spec) == [("collect_data", DEFAULT), ("train", "cpu=8")]
    assert by_name(spec) == {"collect_data": DEFAULT, "train": "cpu=8"}


def test_two_steps_of_one_name() -> None:
    """Two tasks of one name with other machines cannot be told apart by what Vertex says of them."""
    spec = _spec(**{"exec-b": {"container": {"resources": {"cpuLimit": 8.0}}}})
    spec["components"]["comp-loop"]["dag"]["tasks"]["train"]["taskInfo"]["name"] = "collect_data"

    assert by_name(spec) == {"collect_data": UNKNOWN}


def test_a_spec_without_anything() -> None:
    """An empty document has no steps."""
    assert by_name({}) == {}


@pytest.mark.parametrize(("word", "amount"), [("16G", 16.0), ("1Gi", 1.073741824), (15, 15.0), ("500M", 0.5)])
def test_memory_in_words(word: object, amount: float) -> None:
    """Memory is written as templates write it."""
    assert gigabytes(word) == pytest.approx(amount)


@pytest.mark.parametrize("word", ["16 GB", "G", "500m"])
def test_memory_in_other_words(word: str) -> None:
    """Anything else says how to write it."""
    with pytest.raises(ValueError, match="16G"):
        gigabytes(word)

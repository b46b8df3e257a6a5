from pathlib import Path

import pytest

from worker.adapters.engine.local_accelerators import check
from worker.engine.container import Accelerator
from worker.errors import Rejected


def asked(**fields: object) -> Accelerator:
    """Return a request as the spec holds it."""
    return Accelerator.model_validate(fields)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (
            asked(resourceType="NVIDIA_TESLA_T4", resourceCount="3"),
            "asks for 3 × NVIDIA_TESLA_T4, and this machine has 2",
        ),
        (asked(type="NVIDIA_TESLA_T4", count="3"), "asks for 3"),
        (asked(count=3), "asks for 3 × an accelerator"),
        (asked(resourceType="TPU_V3", resourceCount="1"), "asks for 1 × TPU_V3"),
        (asked(resourceCount="some"), "'some' is no number"),
    ],
)
def test_refused(tmp_path: Path, request_: Accelerator, told: str) -> None:
    """More accelerators than there are, others than GPUs, and what is no number are refused at their path."""
    for name in ("nvidia0", "nvidia1", "nvidiactl", "null"):
        (tmp_path / name).touch()
    with pytest.raises(Rejected) as caught:
        check(request_, "path", tmp_path)

    assert (caught.value.field, told in caught.value.reason) == ("path", True)


@pytest.mark.parametrize(
    "request_", [None, asked(), asked(resourceType="NVIDIA_L4", resourceCount="0"), asked(resourceCount="1")]
)
def test_accepted(tmp_path: Path, request_: Accelerator | None) -> None:
    """No accelerator, and one where there is one, are fine."""
    (tmp_path / "nvidia0").touch()
    check(request_, "path", tmp_path)


def test_kind_alone(tmp_path: Path) -> None:
    """A kind without a number is one of it; a machine without a list of devices has none."""
    with pytest.raises(Rejected, match="asks for 1 × NVIDIA_L4, and this machine has none"):
        check(asked(resourceType="NVIDIA_L4"), "path", tmp_path / "nowhere")

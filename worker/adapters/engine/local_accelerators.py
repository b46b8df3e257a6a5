"""Accelerators: a step that asks for one which this machine has not is refused, and never runs without it unseen."""

import re
from pathlib import Path

from worker.engine.container import Accelerator
from worker.errors import Rejected

_DEVICE = re.compile(r"nvidia\d+")
_MEND = "run it with --without-accelerators, take the request out of the pipeline, or run it where there is one"


def check(asked: Accelerator | None, field: str, devices: Path = Path("/dev")) -> None:
    """Check that there are as many GPUs as a container asks for; of what kind they are cannot be told.

    Args:
        asked: None or a count of 0 for none; a kind without a count is one.
        field: the path of the request in the spec.
        devices: where the machine's devices are listed.

    Raises:
        Rejected: there are not, or the request is for something else than GPUs, or no number.
    """
    if asked is None:
        return
    kind, text = asked.resource_type or asked.type, asked.resource_count or str(asked.count or "")
    if text and not text.isdecimal():
        raise Rejected(f"{text!r} is no number of accelerators", field=field)
    count = int(text) if text else int(bool(kind))
    have = sum(bool(_DEVICE.fullmatch(device.name)) for device in devices.iterdir()) if devices.is_dir() else 0
    if count and (count > have or "TPU" in kind.upper()):
        what = f"{count} × {kind or 'an accelerator'}"
        raise Rejected(f"asks for {what}, and this machine has {have or 'none'}", field=field, mend=_MEND)

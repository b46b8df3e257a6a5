"""Numbers and settings as a report shows them."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

BEE = "the bee's own"


def number(value: Any, digits: int = 4) -> str:
    """Return a number as people read it, a dash where there is none."""
    return "–" if not isinstance(value, int | float) else f"{value:.{digits}f}"


def interval(item: Mapping[str, Any] | None, *, signed: bool = False) -> str:
    """Return `lower … upper`."""
    if item is None or (item.get("lower") is None and item.get("upper") is None):
        return "–"
    sign = "+" if signed else ""
    lower, upper = (f"{item[name]:{sign}.4f}" if item[name] is not None else "undefined" for name in ("lower", "upper"))
    return f"{lower} … {upper}"


def difference(item: Mapping[str, Any] | None) -> str:
    """Return a difference with its interval."""
    if item is None or item.get("difference") is None:
        return "–"
    return f"{item['difference']:+.4f} ({interval(item, signed=True)})"


def seconds(value: Any) -> str:
    """Return a time."""
    return "–" if not isinstance(value, int | float) else f"{value:.2f} s"


def usd(value: Any) -> str:
    """Return a price."""
    return "–" if not isinstance(value, int | float) else f"${value:.6f}"


def size(value: Any) -> str:
    """Return a file's size."""
    return "–" if not isinstance(value, int | float) else f"{value / 1000:.1f} kB"


def settings(item: Mapping[str, Any]) -> str:
    """Return a variant's settings in one line, long texts cut."""
    given = item.get("settings") or {}
    flat = {name: value for name, value in given.items() if name != "hyperparameters"}
    flat |= given.get("hyperparameters") or {}
    return ", ".join(f"{name}={_short(value)}" for name, value in flat.items())


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"


def text(value: Any) -> str:
    """Return text as HTML; everything that is not ours goes through here."""
    return escape(str(value), quote=True)

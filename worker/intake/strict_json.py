"""JSON read strictly: UTF-8, bounded size and depth, no NaN or Infinity, numbers with a point as exact decimals."""

import math
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from worker.errors import Rejected

MAX_BYTES = 1_048_576
MAX_DEPTH = 32
#: The longest text of one number; exact arithmetic on a million digits takes minutes.
MAX_DIGITS = 1000


def _number(text: str) -> Decimal:
    if len(text) > MAX_DIGITS:
        raise Rejected(f"the number {text[:40]}… has {len(text):,} digits", mend=f"round it to {MAX_DIGITS:,} or fewer")
    if not math.isfinite(float(text)):
        raise Rejected(f"the number {text[:40]} is too large", mend="send a number within ±1.8e308")
    try:
        number = Decimal(text)
    except InvalidOperation:
        # A finite number whose exponent no Decimal has is 0, or nothing that differs from it.
        return Decimal(0)
    # An exponent of a billion is one short text and an endless computation.
    return number if number and number.adjusted() >= -400 else Decimal(0)


_DECODER = msgspec.json.Decoder(float_hook=_number)


def loads(body: bytes, *, field: str = "body", max_bytes: int = MAX_BYTES) -> Any:
    """Return the JSON value; numbers with a point or an exponent as Decimal.

    Raises:
        Rejected: too large, not UTF-8, not JSON, too deep, or a number that is not finite.
    """
    if len(body) > max_bytes:
        raise Rejected(
            f"{len(body):,} bytes, more than the limit of {max_bytes:,}",
            field=field,
            mend="send the evaluation's numbers, not its data",
        )
    try:
        value = _DECODER.decode(body)
    except Rejected as error:
        raise Rejected(error.reason, field=field, mend=error.mend) from error
    except UnicodeDecodeError as error:
        raise Rejected(f"not UTF-8 (byte {error.start})", field=field, mend="encode the JSON as UTF-8") from error
    except RecursionError as error:
        raise _too_deep(field) from error
    except msgspec.MsgspecError as error:
        raise Rejected(f"not JSON: {error}", field=field, mend="send one JSON object") from error
    _check_depth(value, field)
    return value


def _check_depth(value: Any, field: str) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise _too_deep(field)


def _too_deep(field: str) -> Rejected:
    return Rejected(f"nested deeper than {MAX_DEPTH} levels", field=field, mend="flatten the event")

"""Summaries into profiles and back, by two sketches of Apache DataSketches.

A t-digest (T. Dunning and O. Ertl, 2019) and HyperLogLog (P. Flajolet et al., 2007). They are kept as the bytes that
the library itself reads again, behind their own hash: nothing is unpickled, what was damaged never comes to it.
"""

import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.monitor.column import Floats, Side, Summary
from worker.monitor.period import Period
from worker.monitor.profile import Profile, corrupt

#: Of the t-digest: a rank is off by less than 2 in 100 in the middle, by far less at both ends.
COMPRESSION = 200
#: Of the HyperLogLog: 2 ** 11 registers of four bits, 2.3 in 100 off.
REGISTERS = 11
#: So many values at most are kept with their counts; with no more there is nothing that the counts do not tell.
TOP = 100
#: No sketch of these sizes is longer.
MAX_BYTES = 16_384
_LONGEST = 200
_HASH = 8
#: A digest is looked at by so many ranks, and no more numbers than this are made of them.
_RANKS, _MADE = 512, 100_000


def profile_of(feature: str, type_: str, period: Period, side: Side) -> Profile:
    """Return the profile of what was seen in a period."""
    held = side.values.numbers
    top, sorts = _top_names(side.values.categories) if held is None else _top_numbers(held)
    return Profile(
        feature=feature,
        type=type_,
        period=period.id,
        start=period.start,
        end=period.end,
        rows=side.values.rows,
        known=side.count,
        entities=side.entities,
        seen=side.seen,
        newest=side.newest,
        digest=b"" if held is None else _digested(held),
        distinct=_counted(side.values.categories if held is None else np.unique(held).tolist()),
        top={text[:_LONGEST]: rows for text, rows in top.items()},
        whole=sorts <= TOP and all(len(text) <= _LONGEST for text in top),
        sorts=sorts if held is None else 0,
    )


def side_of(profile: Profile) -> Side | None:
    """Return what was seen in a profile's period; None where it has to be read again. Raises Rejected."""
    values = summary_of(profile)
    return None if values is None else Side(values, profile.entities, profile.seen, profile.newest, profile.known)


def summary_of(profile: Profile) -> Summary | None:
    """Return what drift needs of a profile; None where too much was left out: the rows have to be read again.

    Raises:
        Rejected: a sketch is corrupt.
    """
    if not profile.numeric:
        return Summary(profile.rows, categories=dict(profile.top)) if profile.whole else None
    if profile.whole:
        values = np.repeat([float(text) for text in profile.top], list(profile.top.values()))
        return Summary(profile.rows, np.sort(values.astype(np.float64)))
    made = min(profile.known, _MADE)
    ranks, values = _by_rank(profile)
    numbers = np.interp((np.arange(made) + 0.5) / made, ranks, values)
    return Summary(made + profile.rows - profile.known, numbers)


def quantile(profile: Profile, share: float) -> float | None:
    """Return the number below which so large a share lies; None without numbers. Raises Rejected."""
    digest = _digest_of(profile.digest) if profile.digest else None
    return None if digest is None or digest.is_empty() else _finite(digest.get_quantile(share))


def count_distinct(profile: Profile) -> float:
    """Return about how many different values there were. Raises Rejected."""
    return float(_sketch_of(profile.distinct).get_estimate()) if profile.distinct else 0.0


def _by_rank(profile: Profile) -> tuple[NDArray[np.float64], Floats]:
    digest = _digest_of(profile.digest)
    ranks = np.linspace(0, 1, _RANKS)
    values = np.array([_finite(digest.get_quantile(rank)) for rank in ranks.tolist()])
    return ranks, np.maximum.accumulate(values)


def _top_numbers(numbers: Floats) -> tuple[dict[str, int], int]:
    """Return the most frequent numbers, and how many different ones there are, counted no further than needed."""
    values, counts = np.unique(numbers, return_counts=True)
    best = np.lexsort((values, -counts))[:TOP]
    return {repr(float(values[at])): int(counts[at]) for at in best}, len(values)


def _top_names(categories: Mapping[str, int]) -> tuple[dict[str, int], int]:
    ranked = sorted(categories.items(), key=lambda item: (-item[1], item[0]))[:TOP]
    return dict(ranked), len(categories)


def _digested(numbers: Floats) -> bytes:
    from datasketches import tdigest_double  # type: ignore[import-untyped, unused-ignore]

    digest = tdigest_double(COMPRESSION)
    if len(numbers):
        digest.update(np.ascontiguousarray(numbers, dtype=np.float64))
    return _sealed(digest.serialize())


def _counted(values: Any) -> bytes:
    from datasketches import hll_sketch, tgt_hll_type

    sketch = hll_sketch(REGISTERS, tgt_hll_type.HLL_4)
    for value in values:
        sketch.update(value)
    return _sealed(sketch.serialize_compact())


def _sealed(sketch: bytes) -> bytes:
    """Return a sketch behind its hash: what was damaged never comes to the library."""
    return hashlib.blake2b(sketch, digest_size=_HASH).digest() + sketch


def _opened(kept: bytes, read: Callable[[bytes], Any]) -> Any:
    seal, sketch = kept[:_HASH], kept[_HASH:]
    if not sketch or len(kept) > MAX_BYTES:
        raise corrupt(f"a sketch of {len(kept):,} bytes")
    if hashlib.blake2b(sketch, digest_size=_HASH).digest() != seal:
        raise corrupt("a sketch is not what was kept")
    try:
        return read(sketch)
    except (ValueError, RuntimeError, IndexError, MemoryError, OverflowError, TypeError) as error:
        raise corrupt(str(error)) from error


def _digest_of(kept: bytes) -> Any:
    from datasketches import tdigest_double

    return _opened(kept, tdigest_double.deserialize)


def _sketch_of(kept: bytes) -> Any:
    from datasketches import hll_sketch

    return _opened(kept, hll_sketch.deserialize)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise corrupt("a sketch tells numbers that are not finite")
    return float(value)

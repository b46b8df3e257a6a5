"""The same log and spine for all who join: as Parquet files, one for each feature, and one for the spine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

NAMES = [f"f{number}" for number in range(9)]
FIRST_US = 1_546_300_800_000_000
YEAR_US = 365 * 86_400 * 1_000_000
_HOUR_US = 3_600_000_000


@dataclass(frozen=True)
class Size:
    """How many values, spine rows and entities; values are spread evenly over features and at random over entities."""

    values: int
    rows: int
    entities: int


def id_of(code: Any) -> list[str]:
    """Return entity ids."""
    return [f"entity-{number:08d}" for number in code.tolist()]


def write(directory: Path, size: Size) -> None:
    """Write `<feature>.parquet` (entity, event_timestamp, created, the value) and `spine.parquet`."""
    import pyarrow as pa
    from pyarrow import parquet

    directory.mkdir(parents=True)
    draw = np.random.default_rng(7)
    moment = pa.timestamp("us", tz="UTC")
    ids = pa.array(id_of(np.arange(size.entities)))
    for name in NAMES:
        count = size.values // len(NAMES)
        event = FIRST_US + draw.integers(0, YEAR_US, count)
        columns = {
            "entity": ids.take(pa.array(draw.integers(0, size.entities, count))),
            "event_timestamp": pa.array(event).cast(moment),
            "created": pa.array(event + draw.integers(0, _HOUR_US, count)).cast(moment),
            name: draw.random(count),
        }
        parquet.write_table(pa.table(columns), directory / f"{name}.parquet")
    spine = {
        "entity": ids.take(pa.array(draw.integers(0, size.entities, size.rows))),
        "event_timestamp": pa.array(FIRST_US + draw.integers(0, YEAR_US, size.rows)).cast(moment),
    }
    parquet.write_table(pa.table(spine), directory / "spine.parquet")

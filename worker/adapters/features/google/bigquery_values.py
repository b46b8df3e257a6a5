"""Statements' parameters and loaded rows as BigQuery's client takes them."""

import io
from collections.abc import Iterator, Sequence
from typing import Any

from worker.adapters.features.google.warehouse import Param, Rows

_ARROW = {"INT64": "int64", "STRING": "string", "FLOAT64": "float64", "BOOL": "bool_", "BYTES": "binary"}


def parameter(param: Param | Rows) -> Any:
    """Return a query parameter of the client's own."""
    from google.cloud import bigquery

    if isinstance(param, Param):
        return bigquery.ScalarQueryParameter(param.name, param.kind, param.value)
    typed: Any = bigquery  # its parameter types have none
    kinds = [typed.ScalarQueryParameterType(kind, name=name) for name, kind in param.fields.items()]
    rows = zip(*(param.columns[name] for name in param.fields), strict=True)
    values = [
        typed.StructQueryParameter(None, *(typed.ScalarQueryParameter(*cell) for cell in _cells(param, row)))
        for row in rows
    ]
    return bigquery.ArrayQueryParameter(param.name, typed.StructQueryParameterType(*kinds), values)


def _cells(rows: Rows, row: Sequence[Any]) -> Iterator[tuple[str, str, Any]]:
    for (name, kind), value in zip(rows.fields.items(), row, strict=True):
        yield name, kind, value


def parquet_of(rows: Rows) -> bytes:
    """Return rows as a Parquet file."""
    import pyarrow as pa
    from pyarrow import parquet

    arrays = {
        name: pa.array(rows.columns[name], type=getattr(pa, _ARROW[kind])()) for name, kind in rows.fields.items()
    }
    sink = io.BytesIO()
    parquet.write_table(pa.table(arrays), sink)
    return sink.getvalue()

"""Direct writes to a Feature View, so that what was written is read at once; a preview of Vertex AI's, off by default.

BigQuery is written first and alone counts: what is put into the view is what the table then has as newest, with the
serving timestamp of its row, so that the view's sync brings nothing else. A direct write that fails is logged, and the
sync brings the value later.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import structlog

from worker.adapters.features.google.columns import Stored
from worker.adapters.features.google.sql import reading
from worker.adapters.features.google.vertex import GOOGLE, Names, Vertex
from worker.adapters.features.google.warehouse import Rows, Warehouse, offered
from worker.clock import from_us

log = structlog.get_logger()

#: How long one stream of writes may take, in seconds.
STREAM_S = 10.0
#: Entities in one request of a stream.
_MOST = 100
_KINDS = {"FLOAT64": "double_value", "STRING": "string_value", "BOOL": "bool_value", "BYTES": "bytes_value"}


class DirectWriter:
    """Puts the newest values of some entities into their view; safe to share between threads."""

    def __init__(self, warehouse: Warehouse, vertex: Vertex, names: Names) -> None:
        """Write nothing yet."""
        self._warehouse = warehouse
        self._vertex = vertex
        self._names = names

    def put(self, entity_ids: Sequence[str], features: Sequence[Stored]) -> None:
        """Put what the table has as newest into the view of the features' entity."""
        wanted = Rows("wanted", {"entity_id": "STRING"}, {"entity_id": list(entity_ids)})
        with offered(self._warehouse, wanted) as (source, params):
            rows = self._warehouse.query(reading.newest(self._warehouse.name, features, source), params)
        view = self._names.view(features[0].definition.entity)
        try:
            answers = self._vertex.values.feature_view_direct_write(
                requests=_requests(view, rows, features), timeout=STREAM_S
            )
            refused = [answer.status.message for answer in answers if answer.status.code]
        except GOOGLE as error:
            refused = [str(error)]
        if refused:
            log.warning("a view was not written; its sync will bring the values", view=view, reason=refused[0])


def _requests(view: str, rows: Sequence[tuple[Any, ...]], features: Sequence[Stored]) -> Iterator[Any]:
    from google.cloud.aiplatform_v1 import FeatureViewDirectWriteRequest

    keys = [{"data_key": {"key": row[0]}, "features": _cells(row[1:], features)} for row in rows]
    for first in range(0, len(keys), _MOST):
        part = keys[first : first + _MOST]
        yield FeatureViewDirectWriteRequest(feature_view=view, data_key_and_feature_values=part)


def _cells(cells: Sequence[Any], features: Sequence[Stored]) -> list[dict[str, Any]]:
    written = []
    for number, stored in enumerate(features):
        value, state, served_us = cells[3 * number : 3 * number + 3]
        if state is None:
            continue
        when = {"generate_time": from_us(served_us)}
        written.append({"name": stored.state, "value": {"string_value": state, "metadata": when}})
        if value is not None:
            written.append({"name": stored.column, "value": {_KINDS[stored.kind]: value, "metadata": when}})
    return written

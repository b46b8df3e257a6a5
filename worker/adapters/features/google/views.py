"""Online reads from Feature Views on Bigtable, which Vertex AI keeps in step with the BigQuery tables by itself.

A view serves per feature the newest value that is not NULL, by the table's serving timestamp. The state's column is
served beside it and decides: what it says is NULL is NULL, whatever older value is served. A view that does not serve a
column is an error that names the mend, never a missing value.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from google.api_core import exceptions

from worker.adapters.features.google.columns import Stored
from worker.adapters.features.google.online import Found, Held, held
from worker.adapters.features.google.vertex import GOOGLE, Names, Vertex, meaning
from worker.adapters.google_calls import Patience
from worker.errors import Rejected, TryLater

#: Calls at a time: the service takes one entity per call.
_THREADS = 16
#: One attempt, all attempts, and a whole read of many entities, in seconds.
PATIENCE = Patience(attempt_s=1.0, total_s=3.0, first_pause_s=0.05, longest_pause_s=0.5)
READ_S = 10.0
#: How long a view's columns are remembered; one that is asked for and not among them is looked up at once.
_REMEMBERED_S = 300.0
_INIT = "run `colony features init`"


@dataclass(frozen=True)
class _Served:
    columns: frozenset[str]
    until: float


class ViewNewest:
    """Implements worker.adapters.features.google.online.NewestValues; safe to share between threads.

    Args:
        vertex: the clients.
        names: of the resources.
        patience: of the call for one entity.
        read_s: how long a read of many entities may take.
        monotonic: the clock of the time-outs.
    """

    def __init__(
        self,
        vertex: Vertex,
        names: Names,
        *,
        patience: Patience = PATIENCE,
        read_s: float = READ_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._vertex = vertex
        self._names = names
        self._patience = patience
        self._read_s = read_s
        self._monotonic = monotonic
        self._served: dict[str, _Served] = {}
        self._lock = threading.Lock()

    def newest(self, entity_ids: Sequence[str], features: Sequence[Stored]) -> Found:
        """Return what the entity's view has of each id.

        Raises:
            Rejected: there is no view, or it does not serve a feature.
            TryLater: the service does not answer in time.
        """
        view = self._names.view(features[0].definition.entity)
        self._check_served(view, features)
        fetch = partial(self._fetched, view, features)
        if len(entity_ids) == 1:
            return {entity_ids[0]: fetch(entity_ids[0])}
        tasks = {one: self._threads.submit(fetch, one) for one in entity_ids}
        _, late = wait(tasks.values(), timeout=self._read_s)
        for task in late:
            task.cancel()
        if late:
            raise TryLater(f"{view}: {len(late)} of {len(tasks)} entities were not read within {self._read_s:g} s")
        return {one: task.result() for one, task in tasks.items()}

    def _fetched(self, view: str, features: Sequence[Stored], entity_id: str) -> dict[str, Held]:
        request = {"feature_view": view, "data_key": {"key": entity_id}}
        try:
            answer = self._vertex.call(self._vertex.values.fetch_feature_values, request, self._patience)
        except exceptions.NotFound:
            return {}  # the view is there: there is nothing of this entity
        except GOOGLE as error:
            raise meaning(view, error) from error
        cells = {pair.name: _plain(pair) for pair in answer.key_values.features}
        return {
            one.definition.name: held(one, cells.get(one.column), cells[one.state])
            for one in features
            if cells.get(one.state)
        }

    def _check_served(self, view: str, features: Sequence[Stored]) -> None:
        wanted = {column for one in features for column in (one.column, one.state)}
        known = self._served.get(view)
        if known is None or known.until < self._monotonic() or not wanted <= known.columns:
            known = self._looked_up(view)
        if lacking := sorted(wanted - known.columns):
            raise Rejected(f"the view {view} does not serve {', '.join(lacking)}", field="features", mend=_INIT)

    def _looked_up(self, view: str) -> _Served:
        try:
            described = self._vertex.call(self._vertex.stores.get_feature_view, {"name": view})
        except exceptions.NotFound as error:
            raise Rejected(f"there is no feature view {view}", field="features", mend=_INIT) from error
        except GOOGLE as error:
            raise meaning(view, error) from error
        groups = described.feature_registry_source.feature_groups
        columns = frozenset(one for group in groups for one in group.feature_ids)
        with self._lock:
            found = self._served[view] = _Served(columns, self._monotonic() + _REMEMBERED_S)
        return found

    def freshness(self, entities: Sequence[str], now: datetime) -> dict[str, float]:
        """Return how many seconds behind each entity's view is: since the watermark of its continuous sync.

        One without a sync yet is left out. Raises Rejected, TryLater.
        """
        found = {}
        for entity in entities:
            view = self._names.view(entity)
            request = {"parent": view, "page_size": 10, "order_by": "create_time desc"}
            try:
                syncs = list(self._vertex.call(self._vertex.stores.list_feature_view_syncs, request))
            except GOOGLE as error:
                raise meaning(view, error) from error
            marks = [one.sync_summary.system_watermark_time for one in syncs]
            newest = max((mark for mark in marks if mark is not None), default=None)
            if newest is not None:
                found[entity] = max((now - newest).total_seconds(), 0.0)
        return found

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_THREADS, thread_name_prefix="feature-view")

    def close(self) -> None:
        """Release threads and connections."""
        if "_threads" in self.__dict__:
            self._threads.shutdown(wait=False, cancel_futures=True)
        self._vertex.close()


def _plain(pair: Any) -> Any:
    """Return a served value, None where there is none."""
    if "value" not in pair:
        return None
    held_ = type(pair.value).pb(pair.value)
    kind = held_.WhichOneof("value")
    return None if kind is None else getattr(held_, kind)

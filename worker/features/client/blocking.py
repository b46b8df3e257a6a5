"""The client for programs that wait for their answers."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

from worker.features import wire
from worker.features.client import calls
from worker.features.client.calls import Call
from worker.features.client.retry import PATIENT, Again, Patience, controls, lost, read_answer

T = TypeVar("T")


class FeatureClient:
    """Calls one colony's feature store; safe to share between threads, and to be closed.

    Each method raises Rejected (with the field), NotFound, Conflict, Unreachable or TryLater when all attempts failed,
    and Answered for any other error of the server.
    """

    def __init__(self, url: str, *, token: str = "", patience: Patience = PATIENT) -> None:
        """Connect to nothing yet.

        Args:
            url: of the server, without a path: `http://127.0.0.1:8080`.
            token: of `colony tokens create`; none on loopback.
            patience: time-outs and attempts.
        """
        import httpx
        import tenacity

        self._patience = patience
        self._http = httpx.Client(**calls.connection(url, token), timeout=patience.timeout_s)
        self._retrying = tenacity.Retrying(**controls(patience))

    def get_feature(self, entity_id: str, name: str) -> wire.FeatureValue:
        """Return one feature of one entity as it stands; only one with status PRESENT has a value."""
        return self._call(calls.value(entity_id, name))

    def get_features(self, entity_id: str, names: Sequence[str]) -> Mapping[str, wire.ValueShown]:
        """Return features of one entity by name."""
        return self._call(calls.values([entity_id], names))[entity_id]

    def get_features_of(
        self, entity_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Mapping[str, wire.ValueShown]]:
        """Return features of entities, by id and name."""
        return self._call(calls.values(entity_ids, names))

    def get_features_for_training(
        self, entity_ids: Sequence[str], names: Sequence[str], *, snapshot_time: datetime, respect_known_at: bool = True
    ) -> wire.TrainingAnswer:
        """Return features as they were at one time, at most 10,000 rows."""
        return self._call(calls.training_at(entity_ids, names, snapshot_time, respect_known_at=respect_known_at))

    def get_features_for_spine(
        self, spine: Sequence[tuple[str, datetime]], names: Sequence[str], *, respect_known_at: bool = True
    ) -> wire.TrainingAnswer:
        """Return features as they were at each (entity id, time), at most 10,000 rows; order and duplicates kept."""
        return self._call(calls.training_spine(spine, names, respect_known_at=respect_known_at))

    def reproduce(self, snapshot_id: str) -> wire.TrainingAnswer:
        """Return the very table that an earlier training read answered with."""
        return self._call(calls.training(wire.Reproduce(snapshot_id)))

    def store(self, *values: wire.StoreValue) -> int:
        """Store values, all or none, and return how many; give each a timestamp, and it may be sent again safely."""
        return self._call(calls.store(values))

    def define(self, definition: wire.DefineRequest) -> wire.DefinitionShown:
        """Define a feature; the same again changes nothing."""
        return self._call(calls.define(definition))

    def deprecate(self, name: str, reason: str | None) -> wire.DefinitionShown:
        """Say why a feature should not be used any more; None takes that back."""
        return self._call(calls.deprecate(name, reason))

    def delete(self, name: str) -> None:
        """Delete a feature that nobody uses, with its values."""
        self._call(calls.delete(name))

    def definition(self, name: str) -> wire.DefinitionDetail:
        """Return a definition with its versions."""
        return self._call(calls.definition(name))

    def definitions(self, **filters: str) -> Iterator[wire.DefinitionShown]:
        """Yield definitions by name; filters are `search`, `tag`, `entity`, `type`, `owner`."""
        cursor: str | None = None
        while True:
            page = self._call(calls.page(cursor, filters))
            yield from page.features
            cursor = page.next_cursor
            if cursor is None:
                return

    def usage(self, name: str) -> wire.FeatureUsage:
        """Return who uses a feature, and how fresh it is."""
        return self._call(calls.usage(name))

    def _call(self, call: Call[T]) -> T:
        try:
            answer: T = self._retrying(self._attempt, call)
        except Again as failed:
            raise failed.error from failed
        return answer

    def _attempt(self, call: Call[T]) -> T:
        import httpx

        try:
            answer = self._http.request(call.method, call.path, content=call.body)
        except httpx.TransportError as error:
            raise lost(call, error) from error
        read: T = read_answer(call, answer, self._patience)
        return read

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

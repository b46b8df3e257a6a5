"""The client for programs on asyncio."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

from worker.features import wire
from worker.features.client import calls
from worker.features.client.calls import Call
from worker.features.client.retry import PATIENT, Again, Patience, controls, lost, read_answer

T = TypeVar("T")


class AsyncFeatureClient:
    """Calls one colony's feature store from one event loop; to be closed.

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
        self._http = httpx.AsyncClient(**calls.connection(url, token), timeout=patience.timeout_s)
        self._retrying = tenacity.AsyncRetrying(**controls(patience))

    async def get_feature(self, entity_id: str, name: str) -> wire.FeatureValue:
        """Return one feature of one entity as it stands; only one with status PRESENT has a value."""
        return await self._call(calls.value(entity_id, name))

    async def get_features(self, entity_id: str, names: Sequence[str]) -> Mapping[str, wire.ValueShown]:
        """Return features of one entity by name."""
        found = await self._call(calls.values([entity_id], names))
        return found[entity_id]

    async def get_features_of(
        self, entity_ids: Sequence[str], names: Sequence[str]
    ) -> Mapping[str, Mapping[str, wire.ValueShown]]:
        """Return features of entities, by id and name."""
        return await self._call(calls.values(entity_ids, names))

    async def get_features_for_training(
        self, entity_ids: Sequence[str], names: Sequence[str], *, snapshot_time: datetime, respect_known_at: bool = True
    ) -> wire.TrainingAnswer:
        """Return features as they were at one time, at most 10,000 rows."""
        return await self._call(calls.training_at(entity_ids, names, snapshot_time, respect_known_at=respect_known_at))

    async def get_features_for_spine(
        self, spine: Sequence[tuple[str, datetime]], names: Sequence[str], *, respect_known_at: bool = True
    ) -> wire.TrainingAnswer:
        """Return features as they were at each (entity id, time), at most 10,000 rows; order and duplicates kept."""
        return await self._call(calls.training_spine(spine, names, respect_known_at=respect_known_at))

    async def reproduce(self, snapshot_id: str) -> wire.TrainingAnswer:
        """Return the very table that an earlier training read answered with."""
        return await self._call(calls.training(wire.Reproduce(snapshot_id)))

    async def store(self, *values: wire.StoreValue) -> int:
        """Store values, all or none, and return how many; give each a timestamp, and it may be sent again safely."""
        return await self._call(calls.store(values))

    async def define(self, definition: wire.DefineRequest) -> wire.DefinitionShown:
        """Define a feature; the same again changes nothing."""
        return await self._call(calls.define(definition))

    async def deprecate(self, name: str, reason: str | None) -> wire.DefinitionShown:
        """Say why a feature should not be used any more; None takes that back."""
        return await self._call(calls.deprecate(name, reason))

    async def delete(self, name: str) -> None:
        """Delete a feature that nobody uses, with its values."""
        await self._call(calls.delete(name))

    async def definition(self, name: str) -> wire.DefinitionDetail:
        """Return a definition with its versions."""
        return await self._call(calls.definition(name))

    async def definitions(self, **filters: str) -> AsyncIterator[wire.DefinitionShown]:
        """Yield definitions by name; filters are `search`, `tag`, `entity`, `type`, `owner`."""
        cursor: str | None = None
        while True:
            page = await self._call(calls.page(cursor, filters))
            for item in page.features:
                yield item
            cursor = page.next_cursor
            if cursor is None:
                return

    async def usage(self, name: str) -> wire.FeatureUsage:
        """Return who uses a feature, and how fresh it is."""
        return await self._call(calls.usage(name))

    async def _call(self, call: Call[T]) -> T:
        try:
            answer: T = await self._retrying(self._attempt, call)
        except Again as failed:
            raise failed.error from failed
        return answer

    async def _attempt(self, call: Call[T]) -> T:
        import httpx

        try:
            answer = await self._http.request(call.method, call.path, content=call.body)
        except httpx.TransportError as error:
            raise lost(call, error) from error
        read: T = read_answer(call, answer, self._patience)
        return read

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self.close()

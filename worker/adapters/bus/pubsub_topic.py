"""Publishing to Pub/Sub: one bounded unary call per bee and chunk, the bee as ordering key, every id confirmed.

The library's batching publisher is not used: with ordering keys it retries for ever behind the caller's back, and after
an error a key stays paused until `resume_publish`. A unary call either confirms its ids or fails; there is no such
state to resume, and the outbox sends what was not confirmed again, in its order.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from worker.adapters.bus.pubsub_calls import ATTEMPT_S, path, retrying, translated, verified
from worker.adapters.bus.pubsub_clients import publisher
from worker.adapters.bus.pubsub_messages import chunks, encoded
from worker.errors import TryLater
from worker.publish.port import Outgoing

log = structlog.get_logger(__name__)


class PubSubTopic:
    """Publishes CloudEvents in binary mode, in order per bee."""

    def __init__(self, project: str, topic: str, *, client: Any = None, parallel: int = 8, schemas: str = "") -> None:
        """Publish to `topic`, up to `parallel` bees at a time.

        Args:
            project: the Google project.
            topic: a short or full name.
            client: a PublisherClient, else one is made.
            parallel: so many calls at a time.
            schemas: the public URL below which the events' schemas are served.

        Raises:
            Rejected: no credentials.
        """
        self._schemas = schemas
        self._topic = path(project, "topics", topic)
        self._pool = ThreadPoolExecutor(parallel, thread_name_prefix="publish")
        with verified(self._topic):
            self._client = client or publisher()

    def publish(self, events: Sequence[Outgoing]) -> Sequence[str]:
        """Publish each bee's events in order; a bee whose call fails sends nothing further.

        Raises:
            TryLater: nothing was confirmed.
        """
        by_bee: dict[str, list[Outgoing]] = {}
        for event in events:
            by_bee.setdefault(event.bee, []).append(event)
        results = list(self._pool.map(self._publish_bee, by_bee.values()))
        confirmed = {ident for ids, _ in results for ident in ids}
        errors = [error for _, error in results if error]
        if errors and not confirmed:
            raise errors[0]
        return [event.id for event in events if event.id in confirmed]

    def _publish_bee(self, events: Sequence[Outgoing]) -> tuple[list[str], TryLater | None]:
        messages, fault = encoded(events, self._schemas)
        confirmed: list[str] = []
        try:
            for chunk in chunks(messages):
                request = {"topic": self._topic, "messages": [message for _, message in chunk]}
                with translated(self._topic):
                    self._client.publish(request=request, timeout=ATTEMPT_S, retry=retrying())
                confirmed += [ident for ident, _ in chunk]
        except TryLater as error:
            fault = error
        if fault:
            log.warning("events wait", bee=events[0].bee, confirmed=len(confirmed), error=str(fault))
        return confirmed, fault

    def verify(self) -> None:
        """Look the topic up. Raises Rejected, TryLater."""
        with verified(self._topic):
            self._client.get_topic(request={"topic": self._topic}, timeout=ATTEMPT_S, retry=retrying())

    def close(self) -> None:
        """Close the channel: a call under way fails at once, and its events go out with the next worker."""
        self._client.transport.close()
        self._pool.shutdown(cancel_futures=True)

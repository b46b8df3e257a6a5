"""Google's own clients for Pub/Sub, on channels that bound what one answer may hold; the emulator is honoured."""

import os
from typing import Any

import grpc
from google.auth.credentials import Credentials
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports.grpc import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport

#: The largest answer that is taken off the line, in bytes; a message has at most 10 MB.
ANSWER_BYTES = 64 * 1024 * 1024
_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", ANSWER_BYTES),
    ("grpc.max_metadata_size", 4 * 1024 * 1024),
    # A connection that died without a word is noticed; more often, servers take offence.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # After a cut the next try comes soon: our own loops already back off.
    ("grpc.max_reconnect_backoff_ms", 5_000),
)


def subscriber(credentials: Credentials | None = None) -> SubscriberClient:
    """Return a client that pulls; without `credentials` the environment's. Raises DefaultCredentialsError."""
    return SubscriberClient(transport=_transport(SubscriberGrpcTransport, credentials))


def publisher(credentials: Credentials | None = None) -> PublisherClient:
    """Return a client that publishes; without `credentials` the environment's. Raises DefaultCredentialsError."""
    return PublisherClient(transport=_transport(PublisherGrpcTransport, credentials))


def _transport(kind: Any, credentials: Credentials | None) -> Any:
    emulator = os.environ.get("PUBSUB_EMULATOR_HOST")
    if emulator:
        return kind(channel=grpc.insecure_channel(emulator, options=_OPTIONS))

    def channel(host: str, **options: Any) -> grpc.Channel:
        made: grpc.Channel = kind.create_channel(host, **{**options, "options": _OPTIONS})
        return made

    return kind(credentials=credentials, channel=channel, always_use_jwt_access=True)

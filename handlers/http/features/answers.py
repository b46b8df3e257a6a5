"""Answers whose bytes are ready."""

from fastapi import Response

from handlers.http.features.conditions import etag
from worker.features.port import Definition


def ready(body: bytes, definition: Definition | None = None) -> Response:
    """Return JSON that is encoded already, with the ETag of the definition that it is about."""
    headers = {} if definition is None else {"ETag": etag(definition)}
    return Response(body, media_type="application/json", headers=headers)

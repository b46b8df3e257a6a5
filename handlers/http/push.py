"""`events/push`: Pub/Sub's push delivery; one message, one transaction, then 204.

Pub/Sub gives again whatever is not answered with success, so that only what may pass later is: a part that is away, or
a failure that has attempts left. What will never be accepted is kept as a dead letter and answered with success.
"""
# ruff: noqa: N815 - Pub/Sub writes camelCase

import base64
import binascii
import json
from datetime import datetime
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from handlers.http.problems import RESPONSES
from handlers.http.scopes import needs
from handlers.http.services import Services
from worker.access.token import Scope
from worker.clock import parse_time
from worker.errors import TryLater
from worker.intake.consume import Consumer
from worker.intake.given import Given
from worker.intake.port import Message
from worker.intake.receive import Verdict

#: Pub/Sub's largest message of 10 MB in base64, and its attributes.
MAX_BODY = 15 * 1_048_576
_SAID: dict[int | str, dict[str, Any]] = {
    204: {"description": "Handled, known already, or kept as a dead letter: it is not to be given again."}
}


class PushedMessage(BaseModel):
    """A message as Pub/Sub writes it; other fields of its are not read."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "data": "eyJiZWVJZCI6InNwYW0tZ3VhcmQifQ==",
                "attributes": {"ce-id": "1", "ce-type": "model.evaluated"},
                "messageId": "2070443601311540",
                "publishTime": "2026-02-26T19:13:55.749Z",
            }
        }
    )

    data: Annotated[str, Field(description="The body, in base64.")] = ""
    attributes: dict[str, str] = {}
    messageId: str = ""
    publishTime: str = ""


class PushDelivery(BaseModel):
    """What Pub/Sub's push delivery sends, wrapped (its default)."""

    message: PushedMessage
    subscription: Annotated[str, Field(examples=["projects/p/subscriptions/colony-push"])] = ""
    deliveryAttempt: Annotated[int, Field(strict=True, ge=0)] | None = None


def routes(services: Services) -> APIRouter:
    """Return the route of push delivery."""
    router = APIRouter(responses=RESPONSES)

    @cache
    def consumer() -> Consumer:
        """Made with the first message: the API answers with a faulty configuration, too."""
        if services.intake is None:
            raise TryLater("no messages are taken here")
        return services.intake(Given())

    @router.post("/events/push", status_code=204, responses=_SAID, **needs(Scope.WRITE))
    def push_event(delivery: PushDelivery) -> None:
        """Take one message of a push subscription, as the worker takes those that it pulls.

        The token must be Google's, made for COLONY_PUSH_AUDIENCE in the name of COLONY_PUSH_EMAIL; a token of ours
        with the scope `write` does as well.
        """
        (received,) = consumer().handle([_message(delivery)])
        if received.verdict is Verdict.RETRY:
            raise TryLater("the message could not be handled; the log says why")

    return router


def _message(delivery: PushDelivery) -> Message:
    inner = delivery.message
    try:
        body = base64.b64decode(inner.data, validate=True)
    except (binascii.Error, ValueError):
        # What it is instead is for intake to say, and for a person to see.
        body = json.dumps(inner.model_dump()).encode()
    return Message(
        body=body,
        attributes=inner.attributes,
        message_id=inner.messageId,
        published_at=_time(inner.publishTime),
        delivery_attempt=delivery.deliveryAttempt or None,
    )


def _time(text: str) -> datetime | None:
    try:
        return parse_time(text) if text else None
    except ValueError:
        return None

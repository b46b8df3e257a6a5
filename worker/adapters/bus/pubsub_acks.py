"""Answers to acknowledgements under exactly-once delivery, which may fail for some of the messages of a call."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from google.api_core.exceptions import GoogleAPICallError

ATTEMPTS = 4
PAUSE_S = 0.2


def again(call: Callable[[list[str]], Any], receipts: list[str]) -> None:
    """Call for receipts, and once more for those that Pub/Sub says failed for a moment only.

    What failed for good (its deadline had passed) comes again, as it may at any time: nothing here relies on
    exactly-once. Raises GoogleAPICallError: the call failed as a whole, or some receipts of it did.
    """
    left = receipts
    for attempt in range(1, ATTEMPTS + 1):
        try:
            call(left)
        except GoogleAPICallError as error:
            told = _told(error)
            left = [receipt for receipt in left if told.get(receipt, "").startswith("TRANSIENT_")]
            if not left or attempt == ATTEMPTS:
                raise
            time.sleep(PAUSE_S * attempt)
        else:
            return


def _told(error: GoogleAPICallError) -> Mapping[str, str]:
    """Return receipt → what is the matter with it, as Pub/Sub's ErrorInfo has it."""
    found: dict[str, str] = {}
    for detail in error.details:
        found |= dict(getattr(detail, "metadata", {}))
    return found

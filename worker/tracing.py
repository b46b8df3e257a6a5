"""Which trace a request or a message is part of: read from its headers or attributes, for the log."""

import re
from collections.abc import Mapping

#: W3C Trace Context: version, trace id, parent id, flags.
_W3C = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
#: Google's older header: trace id, span id in decimals, options.
_GOOGLE = re.compile(r"([0-9a-f]{32})(?:/([0-9]{1,20}))?(?:;o=[0-9]+)?", re.IGNORECASE)
#: Where a trace is told of: an HTTP header, and the attributes of a CloudEvent and of Pub/Sub's own client.
W3C_NAMES = ("traceparent", "ce-traceparent", "googclient_traceparent")
GOOGLE_NAME = "x-cloud-trace-context"
_SPAN_BITS = 64


def trace_of(given: Mapping[str, str]) -> dict[str, str]:
    """Return `trace_id` and `span_id` (both hex) as the log keeps them; empty where there is no valid trace.

    Args:
        given: headers with lower-case names, or a message's attributes.

    See https://www.w3.org/TR/trace-context/ and https://cloud.google.com/trace/docs/trace-context.
    """
    for name in W3C_NAMES:
        found = _W3C.fullmatch(given.get(name, ""))
        if found:
            return {"trace_id": found[1], "span_id": found[2]}
    older = _GOOGLE.fullmatch(given.get(GOOGLE_NAME, ""))
    if older is None:
        return {}
    trace = {"trace_id": older[1].lower()}
    if older[2] and 0 < int(older[2]) < 1 << _SPAN_BITS:
        trace["span_id"] = f"{int(older[2]):016x}"
    return trace

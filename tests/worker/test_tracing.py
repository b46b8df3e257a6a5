import pytest

from worker.tracing import trace_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize("name", ["traceparent", "ce-traceparent", "googclient_traceparent"])
def test_w3c(name: str) -> None:
    """The W3C form is read wherever a request or a message carries it."""
    assert trace_of({name: f"00-{TRACE}-{SPAN}-01"}) == {"trace_id": TRACE, "span_id": SPAN}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"{TRACE}/1;o=1", {"trace_id": TRACE, "span_id": "0000000000000001"}),
        (TRACE.upper(), {"trace_id": TRACE}),
        (f"{TRACE}/0", {"trace_id": TRACE}),
        (f"{TRACE}/99999999999999999999", {"trace_id": TRACE}),
    ],
)
def test_googles_older_header(value: str, expected: dict[str, str]) -> None:
    """Google's own header is read, its decimal span in hex; a span that is none is left out."""
    assert trace_of({"x-cloud-trace-context": value}) == expected


@pytest.mark.parametrize(
    "value",
    ["", "00", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE.upper()}-{SPAN}-01", f"\n{TRACE}"],
)
def test_what_is_no_trace_is_none(value: str) -> None:
    """A stranger's words do not come into the log as a trace."""
    assert trace_of({"traceparent": value, "x-cloud-trace-context": value[:5]}) == {}

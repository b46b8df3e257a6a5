"""A bound on how long BigQuery may be silent: its client waits for the answer of a job two minutes at least."""

from typing import Any

from requests.adapters import HTTPAdapter  # type: ignore[import-untyped] # it comes without types


def bound(client: Any, most_s: float) -> None:
    """Let no request of a client wait longer for the next byte, whatever the client asks of its session."""
    session = client._http  # noqa: SLF001 - the client has no other way to its session
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Bounded(most_s))


class _Bounded(HTTPAdapter):  # type: ignore[misc] # see above
    """Sends requests with a time-out that is no longer than its own."""

    def __init__(self, most_s: float) -> None:
        super().__init__()
        self._most_s = most_s

    def send(self, request: Any, stream: Any = False, timeout: Any = None, *others: Any, **options: Any) -> Any:  # noqa: FBT002 - as it is in requests
        """Send a request."""
        asked = timeout if isinstance(timeout, int | float) else self._most_s
        return super().send(request, stream, min(asked, self._most_s), *others, **options)

"""Posts JSON to a URL that is a secret: neither its path nor what the other side answers reaches the log whole."""

import socket
from collections.abc import Mapping
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx

from worker.errors import Rejected, TryLater

TIMEOUT_S = 5.0
_SOON = {408, 425, 429}
_SHOWN = 200
_PORTS = {"http": 80, "https": 443}


class HttpHook:
    """One webhook; redirects are not followed."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """Open nothing yet. Raises Rejected unless it is an http(s) URL."""
        self._url = url
        parsed = None
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            # Its words may hold a part of the secret.
            parsed = None
        if parsed is None or parsed.scheme not in {"http", "https"} or not parsed.host:
            raise Rejected("is not an http(s) URL", field="COLONY_WEBHOOK", mend="write https://hooks.example.org/…")
        self._host, self._scheme = parsed.host, parsed.scheme
        self._port = parsed.port or _PORTS[parsed.scheme]
        self._timeout_s = timeout_s
        self._client = httpx.Client(timeout=timeout_s, follow_redirects=False)

    def send(self, message: Mapping[str, Any]) -> None:
        """Post a message.

        Raises:
            TryLater: the other side cannot be reached, is too busy, or broken.
            Rejected: it does not take this message.
        """
        try:
            answer = self._client.post(self._url, json=dict(message))
        except httpx.HTTPError as error:
            raise TryLater(f"{self._host}: {type(error).__name__}: {self._masked(str(error))}") from None
        if answer.is_success:
            return
        said = f"{self._host} answered {answer.status_code} {self._masked(answer.text[:_SHOWN])}".strip()
        if answer.is_server_error or answer.is_redirect or answer.status_code in _SOON:
            raise TryLater(said)
        raise Rejected(said, field="webhook", mend="look at COLONY_WEBHOOK, and at what the other side takes")

    def verify(self) -> str:
        """Resolve the host and open its port, or those of the proxy in between; nothing is sent.

        Raises:
            TryLater: there is no such host, or nothing answers.
        """
        host, port, way = self._first_stop()
        try:
            socket.create_connection((host, port), timeout=self._timeout_s).close()
        except (OSError, UnicodeError) as error:
            raise TryLater(f"{host}:{port}{way} cannot be reached: {error or type(error).__name__}") from None
        return f"{host}:{port} answers{way}; `colony doctor --webhook` sends a test message"

    def _first_stop(self) -> tuple[str, int, str]:
        proxy = None if proxy_bypass(self._host) else getproxies().get(self._scheme)
        if proxy is None:
            return self._host, self._port, ""
        parsed = httpx.URL(proxy if "://" in proxy else f"http://{proxy}")
        return parsed.host, parsed.port or _PORTS.get(parsed.scheme, 80), f" (the proxy on the way to {self._host})"

    def close(self) -> None:
        """Release the connection."""
        self._client.close()

    def _masked(self, text: str) -> str:
        path = httpx.URL(self._url).raw_path.decode("ascii", "replace")
        return text.replace(self._url, "…").replace(path, "/…") if len(path) > 1 else text.replace(self._url, "…")

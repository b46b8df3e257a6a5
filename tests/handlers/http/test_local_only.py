import httpx
import pytest

from handlers.http import build
from handlers.http.access import Access
from handlers.http.server import Server
from tests.handlers.http.api import Parts


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "localhost:8080"}, 200),
        ({"Host": "[::1]:8080"}, 200),
        ({"Host": "127.0.0.1.evil.example.org"}, 403),
        ({"Host": "evil.example.org"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "[::1"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "https://console.example.org"}, 200),
        ({"Origin": "https://evil.example.org"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_only_this_machine(colony: Parts, headers: dict[str, str], status: int) -> None:
    """Without tokens no other host's name and no other page is answered, so that no web page can act for its reader."""
    access = Access(origins=("https://console.example.org",))
    server = Server(build(colony.services(access)), "127.0.0.1", 0)
    server.start()

    answer = httpx.get(f"http://127.0.0.1:{server.port}/api/mlops/models", headers=headers)

    server.stop()
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["mend"]

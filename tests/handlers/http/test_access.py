import pytest

from config.settings import Settings
from handlers.http.access import DEFAULT_REQUESTS, access_for
from worker.access.token import ALL, Scope
from worker.errors import Rejected


def test_loopback_is_open_by_default() -> None:
    """On this machine nothing is asked for and nothing is limited, unless it is set."""
    for host in ("127.0.0.1", "::1", "localhost", "127.3.2.1"):
        assert not access_for(host, Settings()).guarded
    assert access_for("127.0.0.1", Settings()).requests == 0
    assert access_for("127.0.0.1", Settings(auth="required", rate_limit=7)).guarded
    assert access_for("127.0.0.1", Settings(rate_limit=7)).requests == 7


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "colony.example.org", ""])  # noqa: S104
def test_beyond_loopback_is_guarded(host: str) -> None:
    """Wherever others can reach us, callers show a token, and their requests are limited."""
    access = access_for(host, Settings())

    assert access.guarded
    assert access.requests == DEFAULT_REQUESTS
    assert access_for(host, Settings(rate_limit=0)).requests == 0


def test_emails() -> None:
    """An address alone may do everything, one with scopes just that; capital letters mean nothing."""
    settings = Settings(auth_audience="colony", auth_emails="Ada@Example.org, bot@example.org=read+write")

    assert access_for("::", settings).emails == {
        "ada@example.org": ALL,
        "bot@example.org": frozenset({Scope.READ, Scope.WRITE}),
    }


@pytest.mark.parametrize("text", ["ada", "@example.org", "ada@", "a@b@c", "ada@example.org=root", "ada@example.org="])
def test_wrong_emails(text: str) -> None:
    """A list that cannot be read is refused by the variable's name."""
    with pytest.raises(Rejected, match="COLONY_AUTH_EMAILS"):
        access_for("::", Settings(auth_audience="colony", auth_emails=text))


def test_origins() -> None:
    """Origins are taken as they are."""
    settings = Settings(cors_origins="https://a.example.org, http://localhost:3000")

    assert access_for("127.0.0.1", settings).origins == ("https://a.example.org", "http://localhost:3000")
    assert access_for("::", Settings(cors_origins="*")).origins == ("*",)


@pytest.mark.parametrize("text", ["*", "a.example.org", "https://a.example.org/", "ftp://a.example.org", "null"])
def test_wrong_origins(text: str) -> None:
    """What is no origin, and every origin where nobody shows a token, is refused by the variable's name."""
    with pytest.raises(Rejected, match="COLONY_CORS_ORIGINS"):
        access_for("127.0.0.1", Settings(cors_origins=text))

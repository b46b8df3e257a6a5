from datetime import UTC, datetime, timedelta

import pytest

from worker.access.link import SignedLinks
from worker.errors import Rejected

NOW = datetime(2002, 10, 1, tzinfo=UTC)
LINKS = SignedLinks("k" * 32, "https://colony.example.org", "i1")


def test_a_link_is_good_until_it_expires() -> None:
    """What was signed is recognised, before its end only."""
    url = LINKS.url("q1", NOW + timedelta(hours=1))
    path, _, query = url.partition("?")
    expires, signature = (part.partition("=")[2] for part in query.split("&"))

    assert path == "https://colony.example.org/api/mlops/answer/q1"
    assert LINKS.check("q1", int(expires), signature, NOW) == ""
    assert "expired" in LINKS.check("q1", int(expires), signature, NOW + timedelta(hours=1))
    assert "not one of ours" in LINKS.check("q2", int(expires), signature, NOW)
    assert "not one of ours" in LINKS.check("q1", int(expires), signature + "é", NOW)
    assert "not one of ours" in SignedLinks("x" * 32, "", "i1").check("q1", int(expires), signature, NOW)


def test_without_a_secret_nothing_is_signed() -> None:
    """It says which setting is missing."""
    with pytest.raises(Rejected, match="COLONY_LINK_SECRET"):
        SignedLinks("", "", "i1").url("q1", NOW)

from typing import Any

import aiohttp
import psycopg
import pytest
import sqlalchemy as sa

from tests.postgres import PASSWORD, USER
from worker.adapters.ledger.cloud_sql import CloudSql
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import Rejected, TryLater

INSTANCE = "my-project:europe-west1:colony"


class Connector:
    """Stands for Google's: connects to the PostgreSQL of this machine, and notes what it was asked for."""

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.fault: Exception | None = None
        self.closed = False

    def connect(self, instance: str, driver: str, **words: Any) -> Any:
        """Connect as the real one does: the address is its own business."""
        self.asked.append((instance, driver, dict(words)))
        if self.fault:
            raise self.fault
        return psycopg.connect(
            host=self.url.host, port=self.url.port, user=words["user"], dbname=words["db"], password=words["password"]
        )

    def close(self) -> None:
        """Note it."""
        self.closed = True


def _url(database: str, more: str = "") -> str:
    return f"postgresql://{USER}:{PASSWORD}@/{database}?cloudsql={INSTANCE}{more}"


@pytest.fixture(name="connector")
def _connector(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Connector:
    connector = Connector(postgres_url)
    monkeypatch.setattr("worker.adapters.ledger.cloud_sql._connector", lambda: connector)
    return connector


def test_the_ledger_works_through_the_connector(connector: Connector) -> None:
    """A URL that names an instance is opened by the connector, with psycopg, and the ledger is whole on it."""
    ledger = SqlLedger(Database(_url(str(connector.url.database), "&ip=private")))
    ledger.verify()
    ledger.close()

    instance, driver, words = connector.asked[0]
    assert (instance, driver) == (INSTANCE, "psycopg")
    assert words["ip_type"] == "private"
    assert words["enable_iam_auth"] is False
    assert connector.closed


def test_with_iam_no_password_is_sent(connector: Connector) -> None:
    """Who comes in by IAM has no password, even if the URL has one."""
    connector.fault = OSError("no route")

    with pytest.raises(TryLater, match="colony cannot be reached: no route"):
        SqlLedger(Database(_url("x", "&iam=true")))
    assert connector.asked[0][2]["enable_iam_auth"] is True
    assert "password" not in connector.asked[0][2]


@pytest.mark.parametrize(
    "fault", [OSError("no route"), TimeoutError("too slow"), aiohttp.ClientError("403 from the Admin API")]
)
def test_an_instance_that_is_away_is_try_later(connector: Connector, fault: Exception) -> None:
    """What the connector meets on its way is a fault that may pass, told without the password."""
    connector.fault = fault

    with pytest.raises(TryLater, match=INSTANCE) as error:
        SqlLedger(Database(_url("x")))
    assert PASSWORD not in str(error.value)


def test_a_refused_login_is_told(connector: Connector) -> None:
    """PostgreSQL's own refusal comes through as it does without the connector."""
    wrong = _url(str(connector.url.database)).replace(PASSWORD, "wr0ng")

    with pytest.raises(TryLater, match="password authentication failed"):
        SqlLedger(Database(wrong))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"postgresql://u@/d?cloudsql={INSTANCE}&ip=internal", "ip=internal"),
        (f"postgresql://u@/d?cloudsql={INSTANCE}&iam=maybe", "iam=maybe"),
        ("postgresql://u@/d?cloudsql=colony", "names no instance"),
        (f"postgresql:///d?cloudsql={INSTANCE}", "names no user"),
        (f"postgresql://u@/d?cloudsql={INSTANCE}&cloudsql={INSTANCE}", "cloudsql is there twice"),
    ],
)
def test_a_word_that_is_not_understood_is_refused(url: str, words: str) -> None:
    """A faulty URL is refused before anything is connected, with the word and its mend."""
    with pytest.raises(Rejected, match=words) as error:
        CloudSql.of(sa.make_url(url))
    assert error.value.field == "COLONY_LEDGER"
    assert error.value.mend

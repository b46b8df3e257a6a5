"""What model servers are told: whole, the same bytes for the same, and refused where it is not what was written."""

import pytest

from tests.worker import world
from tests.worker.world import BEE, NOW
from worker.errors import Rejected
from worker.models.live import decoded, encoded, live_of
from worker.models.port import Deployment
from worker.models.traffic import Traffic

VERSIONS = [world.version("1"), world.version("2"), world.version("3")]


def _deployment(divided: Traffic | None) -> Deployment:
    return Deployment(BEE.bee, 4, "1", None, NOW, "a test", None, divided)


@pytest.mark.parametrize("divided", [None, Traffic((("2", 10), ("1", 90)), "r"), Traffic((("2", 100), ("1", 0)), "r")])
def test_back_and_forth(divided: Traffic | None) -> None:
    """What is told is what is read, with the files of all that have a share and of the champion, and no other."""
    live = live_of(_deployment(divided), VERSIONS)

    assert decoded(encoded(live)) == live
    assert encoded(decoded(encoded(live))) == encoded(live)
    assert set(live.artifacts) == ({"1", "2"} if divided else {"1"})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b'{"epoch": 1, "champion": "1", "split": [["1", 90]], "salt": "", "versions": {}}',
        b'{"epoch": 1, "champion": "1", "split": [["1", 100]], "salt": "", "versions": {}}',
        b'{"epoch": "x", "champion": "1", "split": [["1", 100]], "salt": "", "versions": {}}',
    ],
)
def test_what_is_broken_is_refused(content: bytes) -> None:
    """Anything else is refused: a share that is missing, a version without file."""
    with pytest.raises(Rejected, match="live"):
        decoded(content)


def test_fields_of_a_newer_writer_are_skipped() -> None:
    """A server that is older than the worker that tells it reads what it knows."""
    live = live_of(_deployment(None), VERSIONS)

    assert decoded(encoded(live).replace(b'{"champion"', b'{"band": {"x": 1}, "champion"', 1)) == live

from datetime import timedelta

import pytest

from tests.worker import world
from tests.worker.world import NOW
from worker.models.desired import Begin, Forget, Mark, Route, Rules, Seen, Tell, Wanted, steps, wanted
from worker.models.live import decoded
from worker.models.port import Deployment
from worker.models.projection import Deployed, Effort, Endpoint, Entry, Kind, Told
from worker.models.traffic import Traffic


def _deployed(version: str, divided: Traffic | None = None) -> Deployment:
    return Deployment(world.BEE.bee, 7, version, None, NOW, "a test", None, divided)


SERVING = Rules(serving=True, hold=timedelta(hours=6))
ONE = Entry("1", "1", frozenset({"champion", "default"}))
TWO = Entry("2", "2")
LIVE = Endpoint((Deployed("10", "1", 100),))


@pytest.mark.parametrize(
    ("states", "champion", "challenger"),
    [
        ({}, None, None),
        ({"1": "registered"}, None, "1"),
        ({"1": "deployed"}, "1", None),
        ({"1": "deployed", "2": "registered", "3": "refused"}, "1", "2"),
        ({"1": "deployed", "2": "registered", "3": "registered"}, "1", "3"),
        ({"1": "registered", "2": "deployed"}, "2", None),
        ({"1": "retired", "2": "deployed"}, "2", None),
        ({"1": "deployed", "2": "challenger", "3": "registered"}, "1", "2"),
    ],
)
def test_the_challenger(states: dict[str, str], champion: str | None, challenger: str | None) -> None:
    """It is the newest version that passed its gate, is newer than the champion, and waits."""
    versions = [world.version(name, state=state, gate_passed=state != "refused") for name, state in states.items()]

    found = wanted(versions, _deployed(champion) if champion else None)

    assert (found.versions, found.champion, found.challenger) == (tuple(states), champion, challenger)


def test_a_version_that_did_not_pass_is_no_challenger() -> None:
    """A version that is registered only, as the winner of an experiment may be, is not called challenger."""
    assert wanted([world.version("1", gate_passed=False)], None).challenger is None


def test_what_is_in_line_stays() -> None:
    """Where everything is as the ledger says there is nothing to do."""
    assert steps(Wanted(("1",), "1"), Seen([ONE], LIVE), [], SERVING, NOW) == []


def test_the_champion_is_uploaded_first() -> None:
    """Production does not wait for history, and one upload is begun at a time."""
    want = Wanted(("1", "2", "3"), "2")

    assert steps(want, Seen(), [], Rules(), NOW) == [Begin(Kind.UPLOAD, "2")]
    asked = Effort(Kind.UPLOAD, "2", since=NOW, operation="operations/1")
    assert steps(want, Seen(), [asked], Rules(), NOW + timedelta(days=1)) == []


def test_doubt_ends() -> None:
    """What was asked for and shows no trace is asked for again after a while, what failed after its pause."""
    want = Wanted(("1", "2"))
    asked = Effort(Kind.UPLOAD, "1", since=NOW)
    failed = Effort(Kind.UPLOAD, "1", faults=1, again_at=NOW + timedelta(minutes=1))

    assert steps(want, Seen(), [asked], Rules(), NOW + timedelta(seconds=59)) == []
    assert steps(want, Seen(), [asked], Rules(), NOW + timedelta(seconds=60)) == [Begin(Kind.UPLOAD, "1")]
    assert steps(want, Seen(), [failed], Rules(), NOW) == [Begin(Kind.UPLOAD, "2")]
    assert steps(want, Seen(), [failed], Rules(), NOW + timedelta(minutes=1)) == [Begin(Kind.UPLOAD, "1")]


def test_the_name_moves_when_its_new_bearer_is_there() -> None:
    """`champion` stays with the old entry until the new one is registered; then it is taken first, and given."""
    want = Wanted(("1", "2"), "2")

    assert steps(want, Seen([ONE]), [], Rules(), NOW) == [Begin(Kind.UPLOAD, "2")]
    assert steps(want, Seen([ONE, TWO]), [], Rules(), NOW) == [
        Mark(ONE, (), ("champion",)),
        Mark(TWO, ("champion", "default"), ()),
    ]


def test_traffic_comes_first() -> None:
    """Going back to a deployed model is the first step, before any name or upload."""
    want = Wanted(("1", "2", "3"), "1")
    back = Endpoint((Deployed("10", "1", 0), Deployed("11", "2", 100)))
    two = Entry("2", "2", frozenset({"champion", "default"}))

    found = steps(want, Seen([Entry("1", "1"), two], back), [], SERVING, NOW)

    assert found[0] == Route(Deployed("10", "1", 0))
    assert found[-1] == Begin(Kind.UPLOAD, "3")


def test_a_model_on_its_way_out_gets_no_traffic() -> None:
    """A champion that is just being undeployed is deployed anew, once that is over."""
    want = Wanted(("1", "2"), "1")
    back = Endpoint((Deployed("10", "1", 0), Deployed("11", "2", 100)))
    entries = [ONE, TWO]
    going = Effort(Kind.UNDEPLOY, "10", since=NOW, operation="operations/1")

    assert steps(want, Seen(entries, back), [going], SERVING, NOW) == []
    left = Endpoint((Deployed("11", "2", 100),))
    done = Effort(Kind.UNDEPLOY, "10", since=NOW)
    assert steps(want, Seen(entries, left), [done], SERVING, NOW) == [
        Forget(done),
        Begin(Kind.DEPLOY, "1", ONE, (("11", 100), ("0", 0))),
    ]


def test_the_hold_begins_when_traffic_has_left() -> None:
    """A model without traffic is noted, kept for its hold, then undeployed; what is not from here is left alone."""
    want = Wanted(("1", "2"), "1")
    there = Endpoint((Deployed("10", "1", 100), Deployed("11", "2", 0), Deployed("12", "", 0)))
    idle = Effort(Kind.IDLE, "11", since=NOW)

    assert steps(want, Seen([ONE, TWO], there), [], SERVING, NOW) == [Begin(Kind.IDLE, "11")]
    assert steps(want, Seen([ONE, TWO], there), [idle], SERVING, NOW + timedelta(hours=5)) == []
    ended = steps(want, Seen([ONE, TWO], there), [idle], SERVING, NOW + timedelta(hours=6))
    assert ended == [Begin(Kind.UNDEPLOY, "11")]


def test_a_split_that_somebody_else_has_made_goes_to_the_champion() -> None:
    """Whoever shares the traffic with the champion loses it."""
    shared = Endpoint((Deployed("10", "1", 40), Deployed("12", "", 60)))

    assert steps(Wanted(("1",), "1"), Seen([ONE], shared), [], SERVING, NOW) == [Route(Deployed("10", "1", 40))]


def test_a_deployment_that_nobody_wants_any_more_is_forgotten() -> None:
    """A failed deployment of what is no longer champion is not tried again."""
    failed = Effort(Kind.DEPLOY, "2", faults=3, error="quota", again_at=NOW - timedelta(hours=1))

    assert steps(Wanted(("1", "2"), "1"), Seen([ONE, TWO], LIVE), [failed], SERVING, NOW) == [Forget(failed)]


def test_servers_are_told_what_is_live() -> None:
    """Where servers can be told, they are told each version that has a share, with its file, before anything else."""
    versions = [world.version("1", state="deployed"), world.version("2", state="challenger"), world.version("3")]
    traffic = Traffic((("2", 10), ("1", 90)), "salt")
    want = wanted(versions, _deployed("1", traffic))
    assert want.live is not None
    live = decoded(want.live)
    assert (live.epoch, live.champion, live.traffic) == (7, "1", traffic)
    assert dict(live.artifacts) == {one.version: one.artifact for one in versions[:2]}

    told = Rules(serving=True, told=True, hold=timedelta(hours=6))
    before = Told(b"older", 3)
    found = steps(want, Seen([ONE, TWO], LIVE, before), [], told, NOW)
    assert found[0] == Tell(want.live, before)
    assert not any(isinstance(one, Tell) for one in steps(want, Seen([ONE, TWO], LIVE, before), [], SERVING, NOW))
    assert not any(
        isinstance(one, Tell) for one in steps(want, Seen([ONE, TWO], LIVE, Told(want.live, 4)), [], told, NOW)
    )

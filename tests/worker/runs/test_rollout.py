"""The whole path of a rollout: settled, served in steps, looked at, verified or taken back, with its incident."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handlers.commands.answer_question import answer_question
from handlers.commands.tend_incident import close_incident, retry_incident
from tests.worker import world
from tests.worker.runs.colony import HOUR, Colony
from tests.worker.runs.rolled import DAY, PLAN, STAGED, UNSURE, WORSE, Rolling
from tests.worker.world import BEE
from worker.adapters.ledger.sql import SqlLedger
from worker.decide.evaluation import parse_evaluation
from worker.decide.memory import Pause
from worker.decide.policy import Approval, Policy, Retry, Verify
from worker.errors import Conflict, Rejected
from worker.incidents.machine import State as Incident
from worker.incidents.words import following
from worker.intake.receive import receive
from worker.models.port import Deployment
from worker.models.traffic import all_to
from worker.rollout import told
from worker.rollout.evidence import Evidence
from worker.rollout.machine import Move, State
from worker.rollout_plan import RolloutSpec
from worker.runs.explain import Explainer
from worker.runs.heard import tried
from worker.runs.lifecycle import Verdict
from worker.runs.rollout import begin, end_by_hand, look, retire
from worker.runs.trial import under_way


@pytest.fixture(name="rolling")
def _rolling(colony: Colony) -> Rolling:
    return Rolling(colony)


def test_from_a_bad_evaluation_to_verified(rolling: Rolling) -> None:
    """The story: bad, retrained, 10 %, 50 %, 100 %, champion; the incident closes as the version has proven itself."""
    colony = rolling.colony

    begun = rolling.begin()
    at_first = rolling.serving
    shares = [at_first.traffic.shares]
    for _ in range(2):
        rolling.look()
        shares.append(rolling.serving.traffic.shares)
    last = rolling.look()

    assert (begun.version, begun.champion, begun.incident) == ("2", "1", colony.incident().id)
    assert shares == [{"2": 10, "1": 90}, {"2": 50, "1": 50}, {"2": 100, "1": 0}]
    assert (at_first.version, at_first.previous, at_first.traffic.salt) == ("1", None, begun.id)
    assert last is not None
    assert (last.conclusion.move, last.rollout.state) == (Move.VERIFY, State.VERIFIED)
    assert (rolling.serving.version, rolling.serving.previous, rolling.serving.divided) == ("2", "1", None)
    assert rolling.states() == {"1": "deployed", "2": "deployed"}
    assert colony.incident().state is Incident.CLOSED
    assert [entry["what"] for entry in colony.incident().story] == [
        *("opened", "retraining", "rollout", "advanced", "advanced", "closed"),
    ]
    assert "verified in production, not worse: accuracy 0.9 → 0.95" in colony.incident().story[-1]["reason"]
    assert colony.runs()[0].verdict is Verdict.DEPLOYED
    assert rolling.active is None
    assert rolling.told() == [
        *("incident.opened", "model.registered", "model.rollout.started"),
        *("model.rollout.advanced", "model.rollout.advanced", "model.deployed", "incident.closed"),
    ]
    (deployed,) = colony.events("model.deployed")
    assert deployed["rollout"]["evidence"]["lower"] == 0.01
    assert deployed["rollout"]["evidence"]["count"] == 400
    assert (deployed["version"], deployed["previous"], deployed["rollout"]["state"]) == ("2", "1", "verified")


def test_verified_and_still_to_recover(rolling: Rolling) -> None:
    """With `recover` the verified version serves everybody, and its own evaluations end the incident, or go on."""
    colony = rolling.colony
    colony.policy = Policy(verify=Verify(recover=True))
    rolling.begin()
    for _ in range(3):
        rolling.look()

    assert (rolling.serving.version, rolling.active, colony.incident().state) == ("2", None, Incident.DEPLOYED)
    assert colony.events("incident.closed") == []
    colony.now += HOUR
    said = colony.evaluate(modelVersion="2", metrics={"f1": 0.61}, baseline={"f1": 0.6})
    assert (said["action"], colony.incident().attempt) == ("trigger", 2)


@pytest.mark.parametrize("advanced", [0, 1, 2])
def test_worse_goes_back_at_once_and_the_incident_goes_on(rolling: Rolling, advanced: int) -> None:
    """From any step, within the hour, in one step, with the numbers; the next attempt begins after the back-off."""
    colony = rolling.colony
    rolling.begin()
    for _ in range(advanced):
        rolling.look()

    found = rolling.look(WORSE, later=HOUR, step_outcomes=1)

    assert found is not None
    assert found.rollout.state is State.ROLLED_BACK
    assert (rolling.serving.version, rolling.serving.divided, rolling.serving.previous) == ("1", None, None)
    assert rolling.states() == {"1": "deployed", "2": "refused"}
    (event,) = colony.events("model.rolled_back")
    assert (event["version"], event["previous"]) == ("1", "2")
    assert event["rollout"]["step"] == advanced + 1
    assert {"metric", "champion", "challenger", "difference", "lower", "upper", "count", "source"} == set(
        event["rollout"]["evidence"]
    )
    assert event["rollout"]["evidence"]["upper"] == -0.05
    incident = colony.incident()
    assert incident.state is Incident.FAILED
    assert incident.story[-2]["what"] == "rolled_back"
    assert "worse: accuracy 0.9 → 0.775 (interval of the gain -0.2 to -0.05" in incident.story[-2]["reason"]
    assert colony.runs()[0].verdict is Verdict.REJECTED
    assert len(colony.pass_time(24 * HOUR)) == 1
    assert (colony.incident().state, colony.incident().attempt) == (Incident.RETRAINING, 2)


def test_a_guard_alone_takes_it_back(colony: Colony) -> None:
    """The better model that is slow goes back by what events of both versions tell of its latency."""
    guarded = {**PLAN.model_dump(mode="json", by_alias=True), "guards": {"latency_ms": {"margin": 5}}}
    rolling = Rolling(colony, STAGED.model_copy(update={"rollout": RolloutSpec.model_validate(guarded)}))
    rolling.begin()
    slow = replace(rolling.evidence().primary, metric="latency_ms", lower=-30.0, upper=-20.0, source="events")

    found = rolling.look(guards={"latency_ms": slow})

    assert found is not None
    assert found.rollout.state is State.ROLLED_BACK
    (event,) = colony.events("model.rolled_back")
    assert event["rollout"]["guards"]["latency_ms"]["upper"] == -20.0
    assert "the guard latency_ms is worse" in event["reason"]


def test_without_evidence_it_is_held_and_a_person_is_asked(rolling: Rolling) -> None:
    """Beyond the limit: no further, no back, told once; evidence that comes later takes incident and rollout on."""
    colony = rolling.colony
    rolling.begin()

    found = rolling.look(UNSURE, later=14 * DAY)
    rolling.look(UNSURE)

    assert found is not None
    assert found.rollout.state is State.HELD
    assert rolling.serving.traffic.shares == {"2": 10, "1": 90}
    assert colony.incident().state is Incident.ESCALATED
    assert len(colony.events("model.rollout.held")) == len(colony.events("incident.escalated")) == 1

    rolling.look()

    assert (rolling.rollout.state, rolling.rollout.step) == (State.RUNNING, 1)
    assert colony.incident().state is Incident.ROLLOUT
    assert "no evidence within 14d" in colony.events("model.rollout.held")[0]["reason"]


def test_held_without_an_incident_is_told_all_the_same(rolling: Rolling) -> None:
    """A promotion by hand has no incident: the escalation says so."""
    rolling.add_version("2")
    with rolling.colony.ledger.begin() as transaction:
        version = transaction.models.get(BEE.bee, "2")
        assert version is not None
        begin(version, STAGED, PLAN, transaction, rolling.colony.now, reason="by hand")

    rolling.look(UNSURE, later=15 * DAY)

    (event,) = rolling.colony.events("incident.escalated")
    assert (event["incidentId"], event["modelVersion"]) == (None, "2")


def test_the_same_look_twice_is_one(rolling: Rolling) -> None:
    """Two replicas that looked at the same moment, and one that was paused for long: one step, one event."""
    rolling.begin()
    rolling.colony.now += DAY
    first = rolling.evidence()

    rolling.take(first)
    after, told = rolling.rollout, rolling.told()
    rolling.take(first)
    rolling.colony.now += 5 * DAY
    late = rolling.take(replace(first, as_of=rolling.colony.now))

    assert late is not None
    assert late.conclusion.move is Move.WAIT
    assert (rolling.rollout.step, rolling.rollout.step_at) == (after.step, after.step_at) == (1, first.as_of)
    assert rolling.told() == told


def test_a_look_is_one_transaction(rolling: Rolling) -> None:
    """Killed at its last line, nothing of it has happened; the next look does it all."""
    colony = rolling.colony
    rolling.begin()
    colony.now += DAY
    before, told = rolling.rollout, rolling.told()

    def is_killed(found: Evidence) -> None:
        with colony.ledger.begin() as transaction:
            transaction.lock([BEE.bee])
            look(STAGED, colony.policy, transaction, found, colony.now)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        is_killed(rolling.evidence())
    assert (rolling.rollout, rolling.serving.epoch, rolling.told()) == (before, before.epoch, told)

    rolling.look(later=timedelta(0))
    assert rolling.rollout.step == 1


def test_production_changed_beside_it(rolling: Rolling) -> None:
    """Somebody who knows nothing of rollouts changes the champion: the rollout is over, its evidence counts no more."""
    colony = rolling.colony
    rolling.begin()
    with colony.ledger.begin() as transaction:
        transaction.models.add(world.version("7"))
        epoch = rolling.serving.epoch + 1
        transaction.models.deploy(Deployment(BEE.bee, epoch, "7", "1", colony.now, "an old worker did", None))

    found = rolling.look()

    assert found is not None
    assert (found.rollout.state, found.conclusion.move) == (State.SUPERSEDED, Move.WAIT)
    assert (rolling.serving.version, rolling.states()["2"]) == ("7", "registered")
    assert "to version 7 (an old worker did)" in found.rollout.reason
    assert colony.incident().state is Incident.FAILED
    assert colony.runs()[0].verdict is Verdict.SUPERSEDED
    assert rolling.look() is None


@pytest.mark.parametrize("state", [State.PROMOTED, State.STOPPED])
def test_a_person_ends_it(rolling: Rolling, state: State) -> None:
    """Wholly into production ahead of the evidence, or back: recorded with the name, and the incident follows."""
    colony = rolling.colony
    rolling.begin()
    rolling.look()

    with colony.ledger.begin() as transaction:
        end_by_hand(STAGED, colony.policy, transaction, state, colony.now, bee_id=BEE.bee, reason="I know", by="ann")

    won = state is State.PROMOTED
    assert rolling.serving.traffic == all_to("2" if won else "1")
    assert rolling.states() == {"1": "deployed", "2": "deployed" if won else "registered"}
    assert colony.incident().state is (Incident.DEPLOYED if won else Incident.FAILED)
    assert colony.runs()[0].verdict is (Verdict.DEPLOYED if won else Verdict.SUPERSEDED)
    (event,) = colony.events("model.deployed" if won else "model.rolled_back")
    assert "by ann: I know" in event["reason"]
    assert event["rollout"]["state"] == str(state)
    with colony.ledger.begin() as transaction, pytest.raises(Conflict, match="no rollout of spam-guard is under way"):
        end_by_hand(STAGED, colony.policy, transaction, state, colony.now, bee_id=BEE.bee, reason="again")


def test_a_bee_that_is_gone_lets_go_of_its_incident(rolling: Rolling) -> None:
    """Ended by hand for a bee whose file was removed, its incident does not stay in the rollout for ever."""
    colony = rolling.colony
    rolling.begin()

    with colony.ledger.begin() as transaction:
        end_by_hand(None, colony.policy, transaction, State.STOPPED, colony.now, bee_id=BEE.bee, reason="gone")

    assert colony.incident().state is Incident.FAILED


def test_the_predecessor_is_kept_for_its_hold(rolling: Rolling) -> None:
    """It is retired when the time to go back to it is over, not before."""
    colony = rolling.colony
    rolling.begin()
    for _ in range(3):
        rolling.look()

    def retired_after(later: timedelta) -> list[tuple[str, str]]:
        return retire(colony.ledger, colony.now + later)

    assert retired_after(7 * DAY - HOUR) == []
    assert rolling.states()["1"] == "deployed"
    assert retired_after(7 * DAY) == [(BEE.bee, "1")]
    assert rolling.states() == {"1": "retired", "2": "deployed"}
    assert retired_after(8 * DAY) == []


def test_a_first_model_has_nothing_to_be_compared_with(ledger: SqlLedger) -> None:
    """Without a champion a version is deployed at once, whatever the plan."""
    colony = Colony(ledger, bees={BEE.bee: STAGED})
    world.ask_for_run(ledger)

    assert colony.end_run().verdict is Verdict.DEPLOYED
    assert colony.champion() == "1"


def test_the_templates_plan_goes_before_the_bees(rolling: Rolling) -> None:
    """What a template's deployment step says counts, in either way."""
    colony = rolling.colony
    colony.evaluate()

    run = colony.end_run(rollout={"strategy": "shadow", "steps": [{"percent": 0, "minTime": "1h", "minOutcomes": 9}]})

    assert run.verdict is Verdict.ROLLOUT
    assert rolling.serving.traffic.shares == {"2": 0, "1": 100}
    assert rolling.serving.traffic.shadow == ("2",)
    rolling.look(later=HOUR)
    assert colony.champion() == "2"


def test_a_template_may_say_immediate(rolling: Rolling) -> None:
    """Then it goes into production at once, as ever."""
    rolling.colony.evaluate()

    assert rolling.colony.end_run(rollout={"strategy": "immediate"}).verdict is Verdict.DEPLOYED
    assert rolling.serving.divided is None
    assert rolling.states() == {"1": "retired", "2": "deployed"}


def test_a_plan_that_cannot_be_followed_deploys_nothing(rolling: Rolling) -> None:
    """A broken plan is a broken template: told to a person, never passed over."""
    rolling.colony.evaluate()

    run = rolling.colony.end_run(rollout={"strategy": "canary", "steps": [{"percent": 10}]})

    assert run.verdict is Verdict.FAILED
    assert rolling.colony.champion() == "1"
    assert rolling.colony.incident().state is Incident.ESCALATED
    assert "its rollout cannot be followed" in rolling.colony.incident().story[-1]["reason"]


def test_what_is_settled_meanwhile_is_superseded(rolling: Rolling) -> None:
    """A second challenger has beaten the champion, not what may be the champion when the rollout is over."""
    colony = rolling.colony
    rolling.add_version("7")
    colony.evaluate()
    with colony.ledger.begin() as transaction:
        version = transaction.models.get(BEE.bee, "7")
        assert version is not None
        begin(version, STAGED, PLAN, transaction, colony.now, reason="by hand")

    run = colony.end_run()

    assert run.verdict is Verdict.SUPERSEDED
    assert colony.champion() == "1"
    assert colony.incident().state is Incident.REFUSED
    assert "it beat version 1, but version 7 is being rolled out over version 1" in str(colony.incident().story)
    # And the next attempt waits for the rollout's end: what it makes could not go into production either.
    assert colony.pass_time(24 * HOUR) == []
    waiting = colony.incident().waiting
    assert waiting is not None
    assert "version 7 is being rolled out over version 1" in waiting.why
    rolling.look(WORSE)
    assert len(colony.pass_time(HOUR)) == 1


def test_traffic_divided_meanwhile_is_no_other_champion(rolling: Rolling) -> None:
    """A rollout by hand that came and went while a run trained leaves its verdict: the champion is the same."""
    colony = rolling.colony
    rolling.add_version("7")
    colony.evaluate()
    with colony.ledger.begin() as transaction:
        version = transaction.models.get(BEE.bee, "7")
        assert version is not None
        begin(version, STAGED, PLAN, transaction, colony.now, reason="by hand")
    rolling.look(WORSE, later=HOUR)

    assert colony.end_run().verdict is Verdict.ROLLOUT
    assert rolling.rollout.version == "8"


def test_an_approved_version_goes_by_the_plan(rolling: Rolling) -> None:
    """A person's yes puts it on its way, not at once everywhere."""
    colony = rolling.colony
    colony.policy = Policy(approval=Approval(deployments="always"))
    colony.evaluate()
    assert colony.end_run().verdict is Verdict.GATED
    (question,) = colony.questions()

    answer_question(colony.operator(), question.id, approve=True, reason="go")

    assert colony.runs()[0].verdict is Verdict.ROLLOUT
    assert rolling.serving.traffic.shares == {"2": 10, "1": 90}
    assert colony.incident().state is Incident.ROLLOUT
    for _ in range(3):
        rolling.look()
    assert (colony.champion(), colony.incident().state) == ("2", Incident.CLOSED)


def test_the_champions_evaluations_begin_nothing_meanwhile(rolling: Rolling) -> None:
    """Bad ones attach, well ones do not close: the rollout decides."""
    colony = rolling.colony
    rolling.begin()
    colony.now += HOUR

    bad = colony.evaluate()
    well = colony.evaluate(metrics={"f1": 0.9})

    assert (bad["action"], well["action"]) == ("attached", "none")
    assert "the model of attempt 1 is being rolled out" in bad["reason"]
    assert colony.incident().state is Incident.ROLLOUT
    assert len(colony.runs()) == 1
    # Taken back, the champion that was well again needs no other attempt.
    rolling.look(WORSE)
    assert colony.incident().state is Incident.CLOSED


def test_a_challengers_evaluation_is_evidence(rolling: Rolling) -> None:
    """It is journaled with what it adds, moves its own watermark, and opens nothing however bad it is."""
    colony = rolling.colony
    rolling.begin()
    colony.now += HOUR
    window = {"id": "x", "sampleCount": 400, "start": (colony.now - HOUR / 2).isoformat()}

    said = colony.evaluate(modelVersion="2", metrics={"accuracy": 0.2, "f1": 0.1}, window=window)
    colony.evaluate(metrics={"accuracy": 0.9, "f1": 0.9}, window=window)
    colony.now -= HOUR
    older = colony.evaluate(modelVersion="2", metrics={"accuracy": 0.9})

    assert (said["action"], older["action"]) == ("none", "stale")
    assert said["reason"] == (
        "version 2 is tried beside version 1: its rollout heard accuracy 0.2 on 400 samples; it counts when version 1 "
        "is told of the same window"
    )
    assert set(rolling.rollout.windows) == {"1", "2"}
    assert set(rolling.rollout.windows["2"]) == {"x"}
    assert colony.incident().state is Incident.ROLLOUT


def test_a_version_that_is_not_live_is_recorded_only(rolling: Rolling) -> None:
    """Neither champion nor challenger: as ever."""
    rolling.begin()
    rolling.add_version("7")

    said = rolling.colony.evaluate(modelVersion="7")

    assert "version 7 is not in production (that is 1): recorded only" in said["reason"]


def test_nothing_is_asked_for_without_divided_traffic(rolling: Rolling) -> None:
    """The ledger's trials are not looked at for an event of a bee that serves one version to all."""
    evaluation = parse_evaluation(world.data(), event_time=world.NOW)
    nothing: Any = None

    said, keep = tried(evaluation, rolling.serving, nothing)

    keep()
    assert not said


def test_one_at_a_time(rolling: Rolling) -> None:
    """A second rollout of the bee is refused, and says what is under way."""
    colony = rolling.colony
    rolling.begin()
    rolling.add_version("7")

    with colony.ledger.begin() as transaction:
        version = transaction.models.get(BEE.bee, "7")
        assert version is not None
        with pytest.raises(Conflict, match="version 2 is being rolled out over version 1 since"):
            begin(version, STAGED, PLAN, transaction, colony.now, reason="by hand")


def test_nothing_ungated_is_served(rolling: Rolling) -> None:
    """A version whose gate was not passed begins no rollout, but by force, which is recorded with it."""
    colony = rolling.colony
    rolling.add_version("7", gate_passed=False)
    with colony.ledger.begin() as transaction:
        version = transaction.models.get(BEE.bee, "7")
    assert version is not None

    with colony.ledger.begin() as transaction, pytest.raises(Rejected, match="has not passed its gate"):
        begin(version, STAGED, PLAN, transaction, colony.now, reason="please")
    assert rolling.serving.divided is None

    with colony.ledger.begin() as transaction:
        begin(version, STAGED, PLAN, transaction, colony.now, reason="please", forced="the gate's data is broken")
    with colony.ledger.begin(write=False) as transaction:
        forced = transaction.models.get(BEE.bee, "7")
    assert forced is not None
    assert (forced.forced, forced.state) == ("the gate's data is broken", "challenger")
    # A deliberately worse model, forced past its gate, is caught by evidence alone.
    rolling.look(WORSE, later=HOUR)
    assert rolling.serving.traffic == all_to("1")


def test_a_paused_bee_goes_no_further(rolling: Rolling) -> None:
    """A person holds everything back: no step is advanced, the way back stays open."""
    colony = rolling.colony
    rolling.begin()
    with colony.ledger.begin() as transaction:
        memory = transaction.memories.of(BEE.bee)
        pause = Pause("the office moves", "ann", colony.now)
        transaction.memories.save(BEE.bee, replace(memory, pause=pause))

    found = rolling.look()

    assert found is not None
    assert found.conclusion.reason == "all is well, but spam-guard is paused by ann (the office moves)"
    rolling.look(WORSE)
    assert rolling.rollout.state is State.ROLLED_BACK


def test_a_retry_asked_for_meanwhile_waits_for_the_rollout(rolling: Rolling) -> None:
    """Handed to a person, who asks for another attempt: it begins when the rollout is over, by its failure."""
    colony = rolling.colony
    colony.policy = Policy(retry=Retry(limit=5))
    rolling.begin()
    rolling.look(UNSURE, later=15 * DAY)

    retry_incident(colony.operator(), colony.incident().id, reason="train another")
    waiting = colony.incident().waiting

    assert waiting is not None
    assert "version 2 is being rolled out" in waiting.why
    assert len(colony.runs()) == 1
    rolling.look(WORSE)
    assert len(colony.pass_time(HOUR)) == 1


def test_it_is_explained_in_order(rolling: Rolling) -> None:
    """`colony why` tells the rollout's steps with their numbers, and what is under way."""
    rolling.begin()
    rolling.look()
    with rolling.colony.ledger.begin(write=False) as transaction:
        explainer = Explainer(transaction, rolling.colony.bees, rolling.colony.policy, rolling.colony.now)
        (bee,) = explainer.explain(BEE.bee)
        (run,) = explainer.explain(rolling.colony.runs()[0].id)
        assert under_way(transaction, BEE.bee).startswith("version 2 is being rolled out over version 1 since 2002-")

    assert bee.summary[0] == "In production: version 1 since 2002-10-01T12:00:00Z."
    assert any("Version 2 is being rolled out: 50 % of the traffic, step 2 of 3" in line for line in bee.summary)
    rollout = next(section for section in bee.sections if section.title.startswith("The rollout of version 2"))
    assert [line.outcome for line in rollout.lines] == ["started", "advanced"]
    assert "accuracy 0.9 → 0.95 (interval of the gain 0.01 to 0.09, 400 labelled rows)" in rollout.lines[1].why
    assert any("is being rolled out" in line for line in run.summary)
    assert any(section.title.startswith("The rollout of version 2") for section in run.sections)


def test_events_in_one_batch_are_as_one_by_one(rolling: Rolling) -> None:
    """Both versions' events of many windows, and another bee's between them, all in one transaction."""
    colony = rolling.colony
    world.put_into_production(colony.ledger, bee="other-bee")
    rolling.begin()
    colony.now += DAY
    messages = []
    for hour in range(3):
        start = (colony.now - (5 - hour) * HOUR).isoformat()
        window = {"id": f"h{hour}", "start": start, "sampleCount": 200, "positiveCount": 50}
        for bee, number, accuracy in ((BEE.bee, "1", 0.9), ("other-bee", "1", 0.9), (BEE.bee, "2", 0.6)):
            body = world.data(
                beeId=bee, modelVersion=number, window=window, metrics={"accuracy": accuracy}, baseline={}
            )
            messages.append(world.message(f"{bee}-{number}-{hour}", body | {"evaluatedAt": colony.now.isoformat()}))
    handlers = world.handlers(colony.ledger, colony.bees, colony.policy)

    receive([*messages, *messages[:2]], colony.ledger, handlers, lambda _: colony.now)
    found = told.evidence(rolling.rollout, colony.now)

    assert (found.primary.count, found.primary.champion, found.primary.challenger) == (600, 0.9, 0.6)
    rolling.take(found)
    assert rolling.rollout.state is State.ROLLED_BACK
    assert colony.events("model.rolled_back")[0]["rollout"]["evidence"]["source"] == "events"


def test_what_happens_next_is_said(rolling: Rolling) -> None:
    """An incident whose model is being rolled out says so, and cannot be closed over it."""
    colony = rolling.colony
    rolling.begin()
    incident = colony.incident()

    assert "each step on evidence alone" in following(incident, 3, 1)
    with pytest.raises(Conflict, match="promote that version or roll it back first"):
        close_incident(colony.operator(), incident.id, "enough")

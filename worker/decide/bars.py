"""The guards: everything that may hold a retrain back, each with what it saw and when it will let through; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from worker.bee import BeeSpec, duration_text
from worker.clock import to_text
from worker.decide.memory import BeeMemory, ColonyMemory, Pause, Tally, next_day, next_month
from worker.decide.policy import Breaker, Budget, Policy
from worker.decide.rules import Outcome, RuleResult
from worker.monitor.finding import OpenFinding

#: The guards that are budgets.
BUDGETS = frozenset({"budget_runs", "budget_cost", "colony_budget_runs", "colony_budget_cost"})


@dataclass(frozen=True)
class Ask:
    """A retrain that is to begin.

    Attributes:
        event_time: of the evaluation that asks for it.
        memory, colony: what is remembered of the bee, and of all.
        active_run: a run of the bee that has not been settled.
        in_flight: how many runs of incidents are in flight in the colony.
        estimate: what the run will cost; None: not known. estimated: what that stands on, in words.
        ahead: how many other bees wait for nothing but room, and go first.
        since: until when the last attempt of the same incident had data; None if this is the first.
        new_labels: how many labels have become known since; None where that is not known.
        granted: a person asked for this very attempt.
        trial: what is being tried on the bee's traffic, a rollout or a test, in words; empty while nothing is.
        findings: what is wrong with the bee's features now.
    """

    bee: BeeSpec
    policy: Policy
    memory: BeeMemory
    colony: ColonyMemory
    event_time: datetime
    now: datetime
    active_run: str | None = None
    in_flight: int = 0
    estimate: Decimal | None = Decimal(0)
    estimated: str = ""
    ahead: int = 0
    since: datetime | None = None
    new_labels: int | None = None
    granted: bool = False
    trial: str = ""
    findings: Sequence[OpenFinding] = ()


def bars(ask: Ask) -> tuple[RuleResult, ...]:
    """Return every guard's word, in the order in which they are asked."""
    tally, all_of_them = ask.memory.tally, ask.colony.tally
    return (
        _mode(ask),
        _one_run(ask),
        *_trial(ask),
        _pause("pause", ask.memory.pause, ask.now),
        _pause("colony_pause", ask.colony.pause, ask.now),
        _cooldown(ask),
        _breaker("breaker", tally, ask.policy.breaker, ask.now),
        _breaker("colony_breaker", all_of_them, ask.policy.colony.breaker, ask.now),
        *_budget("budget", tally, ask.policy.budget, ask),
        *_budget("colony_budget", all_of_them, ask.policy.colony.budget, ask),
        _nothing_new(ask),
        *_features(ask),
        _concurrency(ask),
    )


def held(results: tuple[RuleResult, ...]) -> list[RuleResult]:
    """Return the guards that hold it back."""
    return [result for result in results if result.outcome is Outcome.HELD]


def lifted_at(results: tuple[RuleResult, ...]) -> datetime | None:
    """Return when the last of the guards that hold lets through by itself; None if one waits for something else."""
    times = [result.until for result in held(results)]
    return None if not times or None in times else max(time for time in times if time is not None)


def _mode(ask: Ask) -> RuleResult:
    inputs = {"mode": ask.bee.mode}
    if ask.bee.mode == "observe":
        return RuleResult("mode", Outcome.HELD, inputs, "this bee is only observed (mode: observe)")
    return RuleResult("mode", Outcome.PASSED, inputs, "the bee's mode is act")


def _one_run(ask: Ask) -> RuleResult:
    inputs = {"run": ask.active_run}
    if ask.active_run:
        return RuleResult("one_run_per_bee", Outcome.HELD, inputs, f"run {ask.active_run} of this bee is in flight")
    return RuleResult("one_run_per_bee", Outcome.PASSED, inputs, "no other run of this bee is in flight")


def _trial(ask: Ask) -> Iterator[RuleResult]:
    """Hold while the traffic is divided: what a retrain makes now could not go into production."""
    if ask.trial:
        yield RuleResult("trial", Outcome.HELD, {"trial": ask.trial}, ask.trial)


def _pause(name: str, pause: Pause | None, now: datetime) -> RuleResult:
    if pause is None or not pause.holds(now):
        return RuleResult(name, Outcome.OFF, {}, "not paused")
    until = to_text(pause.until) if pause.until else None
    inputs = {"by": pause.by, "reason": pause.reason, "since": to_text(pause.since), "until": until}
    who = "the whole colony is paused" if name == "colony_pause" else "paused"
    said = f"{who} by {pause.by} ({pause.reason}) {f'until {until}' if until else 'until it is resumed'}"
    return RuleResult(name, Outcome.HELD, inputs, said, pause.until)


def _cooldown(ask: Ask) -> RuleResult:
    """Hold by both clocks: recorded events come faster than the clock goes, late ones bear old times."""
    wait, event, wall = ask.policy.cooldown, ask.memory.acted_event, ask.memory.acted_wall
    if not wait or event is None or wall is None:
        return RuleResult("cooldown", Outcome.OFF, {}, "no cooldown")
    by_event, by_wall = event + wait - ask.event_time, wall + wait - ask.now
    inputs = {
        "cooldown": duration_text(wait),
        "actedAt": to_text(wall),
        "actedFor": to_text(event),
        "evaluatedAt": to_text(ask.event_time),
    }
    left = max(by_event, by_wall)
    if left <= timedelta(0):
        return RuleResult("cooldown", Outcome.PASSED, inputs, f"the cooldown of {duration_text(wait)} is over")
    until = ask.now + left
    return RuleResult(
        "cooldown",
        Outcome.HELD,
        inputs,
        f"cooling down until {to_text(until)} ({duration_text(wait)} after an action)",
        until,
    )


def _breaker(name: str, tally: Tally, breaker: Breaker, now: datetime) -> RuleResult:
    which = "the colony's circuit breaker" if name == "colony_breaker" else "the circuit breaker"
    if breaker.failures is None or tally.open_until is None:
        # What the policy does not ask for is not looked at: it would make one bee's journal depend on the others.
        failures = {} if breaker.failures is None else {"failures": len(tally.failures)}
        return RuleResult(name, Outcome.OFF, failures, f"{which} is closed")
    inputs = {"failures": len(tally.failures), "openUntil": to_text(tally.open_until), "trial": tally.trial}
    if now < tally.open_until:
        count = len(tally.failures)
        why = f"{which} is open until {to_text(tally.open_until)} after {count} failure{'' if count == 1 else 's'}"
        return RuleResult(name, Outcome.HELD, inputs, why, tally.open_until)
    if tally.trial:
        return RuleResult(name, Outcome.HELD, inputs, f"{which} is half-open and its trial is in flight")
    return RuleResult(name, Outcome.PASSED, inputs, f"{which} is half-open: this run is its trial")


def _budget(name: str, tally: Tally, budget: Budget, ask: Ask) -> Iterator[RuleResult]:
    where = " in the whole colony" if name == "colony_budget" else ""
    if budget.runs_per_day is not None:
        runs = tally.runs_on(ask.now)
        inputs = {"runsToday": runs, "runsPerDay": budget.runs_per_day}
        said = f"{runs} of {budget.runs_per_day} runs of the day are used{where}"
        over = runs >= budget.runs_per_day
        outcome, until = (Outcome.HELD, next_day(ask.now)) if over else (Outcome.PASSED, None)
        yield RuleResult(f"{name}_runs", outcome, inputs, said, until)
    if budget.cost_per_month is not None:
        spent = tally.cost_in(ask.now)
        over = spent + (ask.estimate or 0) > budget.cost_per_month or spent >= budget.cost_per_month
        costs: dict[str, Any] = {"spent": spent, "estimate": ask.estimate, "costPerMonth": budget.cost_per_month}
        costs |= {"estimatedBy": ask.estimated} if ask.estimated else {}
        share = f"{spent:.2f} of {budget.cost_per_month:.2f} of the month are spent{where}"
        said = f"{share}, {_would_cost(ask)}"
        outcome, until = (Outcome.HELD, next_month(ask.now)) if over else (Outcome.PASSED, None)
        yield RuleResult(f"{name}_cost", outcome, costs, said, until)


def _would_cost(ask: Ask) -> str:
    # What the estimate stands on is among the inputs: it changes with every run, and what is said should not.
    return "what it would cost is not known" if ask.estimate is None else f"this run would cost {ask.estimate:.2f}"


def _nothing_new(ask: Ask) -> RuleResult:
    """Hold an attempt that would see what the last one saw: it would end as that one did."""
    if ask.since is None:
        return RuleResult("nothing_new", Outcome.OFF, {}, "there is no earlier attempt of this incident")
    inputs = {"newLabels": ask.new_labels, "since": to_text(ask.since), "until": to_text(ask.event_time)}
    if ask.granted:
        return RuleResult("nothing_new", Outcome.OFF, inputs, "a person asked for this attempt")
    if ask.new_labels is None:
        return RuleResult("nothing_new", Outcome.OFF, inputs, "it is not known how many labels are new")
    if ask.new_labels:
        said = f"{ask.new_labels} labels have become known since the last attempt"
        return RuleResult("nothing_new", Outcome.PASSED, inputs, said)
    again = ask.now + max(ask.policy.retry.backoff, timedelta(minutes=1))
    said = f"nothing new: no label has become known since the last attempt, which had data until {to_text(ask.since)}"
    return RuleResult("nothing_new", Outcome.HELD, inputs, said, again)


def _features(ask: Ask) -> Iterator[RuleResult]:
    """Hold while a feature is broken: its fault would be learned. The next window that is clean lifts it."""
    kinds = ask.policy.features.hold
    if not kinds:
        return
    broken = [one for one in ask.findings if one.kind in kinds]
    told = [{"feature": one.feature, "kind": one.kind, "since": one.since and to_text(one.since)} for one in broken]
    inputs = {"hold": list(kinds), "broken": told}
    if not broken:
        said = f"its features have no open finding that is held for ({', '.join(kinds)})"
        yield RuleResult("features", Outcome.PASSED, inputs, said)
        return
    said = "; ".join(f"{one.feature}: {one.words}" for one in broken)
    yield RuleResult("features", Outcome.HELD, inputs, f"never trained on a broken feature: {said}")


def _concurrency(ask: Ask) -> RuleResult:
    limit = ask.policy.colony.runs
    if limit is None:
        return RuleResult("concurrent_runs", Outcome.OFF, {}, "no limit of runs at once")
    inputs = {"inFlight": ask.in_flight, "limit": limit, "ahead": ask.ahead}
    said = f"{ask.in_flight} of {limit} runs at once are in flight"
    if ask.in_flight >= limit:
        return RuleResult("concurrent_runs", Outcome.HELD, inputs, said)
    if ask.in_flight + ask.ahead >= limit:
        said = f"{said}, and {ask.ahead} bees that go first wait for room"
        return RuleResult("concurrent_runs", Outcome.HELD, inputs, said)
    return RuleResult("concurrent_runs", Outcome.PASSED, inputs, said)

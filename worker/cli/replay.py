"""`colony replay`: recorded events through the same intake, on a virtual clock."""

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import click

from worker.cli.common import opened
from worker.cli.decision_line import decision_line
from worker.cli.follow import GOOD, Running, follow
from worker.clock import EPOCH, VirtualClock, parse_time, wall_clock
from worker.errors import TryLater
from worker.intake.consume import BATCH
from worker.intake.envelope import Event
from worker.intake.receive import Received, Verdict

AHEAD = timedelta(minutes=5)


class EventTime:
    """What time it is in a replay: the newest event time seen, which no event from the future can move."""

    def __init__(self) -> None:
        """Begin before every event."""
        self.clock = VirtualClock()

    def __call__(self, event: Event | None) -> datetime:
        """Return the time for an event; events without any time happen now."""
        told = _told(event)
        if told is not None and told <= wall_clock() + AHEAD:
            self.clock.advance(told)
        return self.now()

    def now(self) -> datetime:
        """Return the newest event time, or the wall clock's before there is one."""
        return wall_clock() if self.clock() == EPOCH else self.clock()


def _told(event: Event | None) -> datetime | None:
    if event is None:
        return None
    try:
        return parse_time(event.data["evaluatedAt"])
    except (KeyError, TypeError, ValueError):
        return event.time


@click.command("replay")
@click.argument("file")
@click.option("--wait", is_flag=True, help="Settle each triggered run before the next event.")
@click.option("--dry-run", is_flag=True, help="Decide only: nothing is stored, launched or published.")
@click.option("--assume", type=click.Choice(["refused", "deployed", "failed"]), default="refused", show_default=True,
              help="With --dry-run: how each triggered run would have ended.")  # fmt: skip
@click.option("--policy", type=click.Path(exists=True, dir_okay=False), help="With --dry-run: this policy.")
@click.option("--live", is_flag=True, help="Act on Google where the environment says so (default: local).")
@click.option("--json", "as_json", is_flag=True, help="Print each decision as one JSON object, as they come.")
def command(**options: Any) -> int:
    """Replay FILE (JSON Lines, also .gz, or - for standard input) of recorded events.

    A line is a CloudEvent, a plain event, or a Pub/Sub message as push delivery or `gcloud pubsub subscriptions pull
    --format=json` write it. Time is the newest event time seen. Runs that are triggered are executed here; with
    --wait each is settled before the next event, else they run beside the replay and are finished at its end.
    """
    time_ = EventTime()
    printer = _Printer(as_json=options["as_json"])
    if options["policy"] and not options["dry_run"]:
        raise click.UsageError("--policy goes with --dry-run: a replay that acts uses the configured policy")
    with opened(local=not options["live"], source=options["file"], clock=time_.now, level="error") as app:
        if options["dry_run"]:
            from worker.cli.dry_run import dry_run

            dry_run(app, time_, printer, policy=options["policy"], assume=options["assume"])
            return printer.summary()
        with Running(app) as running:
            consumer = app.consumer(now_for=time_)
            failed = _consume(app, consumer, printer, one_by_one=options["wait"])
            running.settle(remote=not app.engine.local)
        code = printer.summary()
        return 6 if failed else code


def _consume(app: Any, consumer: Any, printer: "_Printer", *, one_by_one: bool) -> bool:
    failed = False
    while not app.subscription.exhausted():
        messages = app.subscription.pull(1 if one_by_one else BATCH, 1.0)
        for item in _handled(consumer, messages):
            printer.tell(item)
            run_id = (item.result or {}).get("runId")
            if one_by_one and run_id and not _settled(app, run_id):
                run = follow(app, run_id, quiet=printer.as_json)
                failed = failed or run.verdict not in GOOD
        for begun in app.timers.runs():
            if one_by_one:
                run = follow(app, begun.id, quiet=printer.as_json)
                failed = failed or run.verdict not in GOOD
    return failed


def _handled(consumer: Any, messages: Any) -> list[Received]:
    """Handle a batch, waiting as long as the ledger is away: nothing of a recording is lost."""
    from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

    if not messages:
        return []
    retrying = Retrying(
        retry=retry_if_exception_type(TryLater),
        wait=wait_exponential(multiplier=0.2, max=5),
        stop=stop_after_delay(120),
        reraise=True,
    )
    received: list[Received] = retrying(consumer.redo, messages)
    return received


def _settled(app: Any, run_id: str) -> bool:
    with app.ledger.begin(write=False) as transaction:
        run = transaction.runs.get(run_id)
    return run is None or run.settled


class _Printer:
    """Tells each message's result, and the sum at the end."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._counts: Counter[str] = Counter()

    def tell(self, item: Received) -> None:
        """Print one result."""
        result = item.result
        if result is None:
            if item.verdict is Verdict.RETRY:
                return
            result = {"action": "dead letter", "reason": item.reason, "messageId": item.message.message_id}
        self._counts[str(result["action"])] += 1
        if self.as_json:
            click.echo(json.dumps(result, ensure_ascii=False), err=item.result is None)
        else:
            click.echo(decision_line(result))

    def summary(self) -> int:
        """Print the counts and return the exit code."""
        total = sum(self._counts.values())
        counts = ", ".join(f"{count} {action}" for action, count in sorted(self._counts.items()))
        click.echo(f"{total} messages: {counts or 'nothing'}", err=self.as_json)
        return 0

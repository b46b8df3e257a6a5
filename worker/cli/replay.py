"""`colony replay`: recorded events through the same intake, on a virtual clock."""

import json
from collections import Counter
from datetime import datetime
from typing import Any

import click

from worker.cli.common import opened
from worker.cli.decision_line import decision_line
from worker.cli.event_time import EventTime, batches
from worker.cli.follow import GOOD, Running, follow
from worker.cli.whatif_options import check, what_if_options
from worker.clock import wall_clock
from worker.decide.due import due_at
from worker.errors import TryLater
from worker.intake.receive import Received, Verdict


@click.command("replay")
@click.argument("file", required=False)
@click.option("--wait", is_flag=True, help="Settle each triggered run before the next event.")
@click.option("--live", is_flag=True, help="Act on Google where the environment says so (default: local).")
@click.option("--json", "as_json", is_flag=True, help="Print each decision as one JSON object, as they come.")
@what_if_options
@click.pass_context
def command(context: click.Context, /, **options: Any) -> int:
    """Replay FILE (JSON Lines, also .gz, or - for standard input) of recorded events.

    A line is a CloudEvent, a plain event, or a Pub/Sub message as push delivery or `gcloud pubsub subscriptions pull
    --format=json` write it. Time is the newest event time seen. Runs that are triggered are executed here; with
    --wait each is settled before the next event, else they run beside the replay and are finished at its end.

    With --dry-run nothing is done: it tells what a policy would have triggered, held back and spent, and how long each
    bad period lasted. `--sweep drop=0.1:0.4:0.05 --sweep cooldown=0h:48h:24h` compares a grid of policies.
    """
    check(context, options)
    # One time for the whole of a dry run: what lies in the future must not depend on how fast it is.
    pinned = options["now"] or (wall_clock() if options["dry_run"] else None)
    time_ = EventTime(lambda: pinned or wall_clock())
    with opened(local=not options["live"], source=options["file"], clock=time_.now, level="error") as app:
        if options["dry_run"]:
            from worker.cli.dry_run import DryRun

            return DryRun(app, time_, options).run()
        from worker.app.retention import keep_replayed

        printer = _Printer(as_json=options["as_json"])
        with Running(app) as running:
            consumer = app.consumer(now_for=time_)
            keep_replayed(app.ledger_care)
            failed = _consume(app, consumer, printer, time_, one_by_one=options["wait"])
            running.settle(remote=not app.engine.local)
        code = printer.summary()
        return 6 if failed else code


def _consume(app: Any, consumer: Any, printer: "_Printer", time_: EventTime, *, one_by_one: bool) -> bool:
    """Take the whole recording; with `one_by_one` time goes from event to event, and each run is waited for."""
    failed = False
    for messages in batches(app.subscription, time_):
        for some in [[message] for message in messages] if one_by_one else [messages]:
            if one_by_one:
                failed = _until(app, time_, some[0], printer) or failed
            for item in _handled(consumer, some):
                printer.tell(item)
                run_id = (item.result or {}).get("runId")
                if one_by_one and run_id and not _settled(app, run_id):
                    failed = _failed(app, run_id, printer) or failed
        if not one_by_one:
            app.timers.runs()
            _looks(app, printer)
    return (_timers(app, printer) or failed) if one_by_one else failed


def _until(app: Any, time_: EventTime, message: Any, printer: "_Printer") -> bool:
    """Let everything that is due before a message's time happen when it is due; tell whether a run failed."""
    told = time_.of_message(message)
    if told is None or told <= time_.now():
        return False
    failed = _timers(app, printer)
    while (due := _next_due(app, time_.now())) is not None and due < told:
        time_.clock.advance(due)
        failed = _timers(app, printer) or failed
    return failed


def _timers(app: Any, printer: "_Printer") -> bool:
    """Let what is due now happen, until nothing is; tell whether a run failed."""
    failed = False
    while True:
        begun, moved = app.timers.runs(), _looks(app, printer)
        for run in begun:
            failed = _failed(app, run.id, printer) or failed
        if not begun and not moved:
            return failed


def _looks(app: Any, printer: "_Printer") -> bool:
    """Look at every rollout under way, as a worker would have done by now; tell whether one was taken on."""
    moved = [one for one in app.verifier.looks() if one.moved]
    for one in moved:
        printer.look(one)
    return bool(moved)


def _next_due(app: Any, now: datetime) -> datetime | None:
    with app.ledger.begin(write=False) as transaction:
        found = [due_at(one, app.policy.of(one.bee)) for one in transaction.incidents.unfinished()]
    found.append(app.verifier.next_due(now))
    return min((due for due in found if due is not None and due > now), default=None)


def _failed(app: Any, run_id: str, printer: "_Printer") -> bool:
    return follow(app, run_id, quiet=printer.as_json).verdict not in GOOD


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
        self._counts[str(result.get("action", "handled"))] += 1
        if self.as_json:
            click.echo(json.dumps(result, ensure_ascii=False), err=item.result is None)
        else:
            click.echo(decision_line(result))

    def look(self, looked: Any) -> None:
        """Print what a look at a rollout concluded."""
        rollout = looked.after
        line = f"{looked.evidence.as_of:%Y-%m-%d %H:%M}  {rollout.bee} version {rollout.version}: {rollout.reason}"
        click.echo(line, err=self.as_json)

    def summary(self) -> int:
        """Print the counts and return the exit code."""
        total = sum(self._counts.values())
        counts = ", ".join(f"{count} {action}" for action, count in sorted(self._counts.items()))
        click.echo(f"{total} messages: {counts or 'nothing'}", err=self.as_json)
        return 0

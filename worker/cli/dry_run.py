"""`replay --dry-run`: what one policy would have decided and done, or several; nothing is stored, launched or told."""

import gc
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import click

from worker.cli.common import print_table
from worker.cli.decision_line import decision_line
from worker.cli.event_time import EventTime, batches
from worker.cli.whatif_log import DecisionLog
from worker.cli.whatif_processes import in_shares, worthwhile
from worker.cli.whatif_sweep import Candidate, axis_of, grid
from worker.cli.whatif_tables import tables_of
from worker.errors import Rejected
from worker.intake.envelope import Event
from worker.whatif.assumptions import Assumptions, Outcome
from worker.whatif.bees import TrustedBees
from worker.whatif.comparison import Differences
from worker.whatif.parts import Crossed, Part, apart, together
from worker.whatif.report import document, dumped, most_telling, page, picture, scope
from worker.whatif.run import Case, WhatIf, decided, repeated
from worker.whatif.shares import Share
from worker.whatif.simulation import Judged
from worker.whatif.stream import Item, Stream
from worker.whatif.versions import KnownVersions, TrustedVersions


class DryRun:
    """One dry run with the options of the command."""

    def __init__(self, app: Any, time_: EventTime, options: Mapping[str, Any]) -> None:
        """Read the policies and what is known of versions. Raises Rejected."""
        self._app, self._time, self._options = app, time_, options
        self._assumptions = _assumptions(app, options)
        self._bees = TrustedBees(app.bees) if options["trust_versions"] else None
        # Read now: a connection must not be shared with a process that is forked later.
        self._history = ([], []) if options["trust_versions"] else app.version_history()
        self._found: Mapping[str, str] = {}
        self._candidates = self._grid()
        self._whatif = WhatIf(self._cases(), Differences() if options["against"] else None)

    def run(self) -> int:
        """Take the whole recording, and print and write what was asked for."""
        # Values refer to what is older only: there are no cycles to look for, and looking for them takes a third.
        gc.freeze()
        gc.set_threshold(100_000, 50, 100)
        if not self._taken_in_shares():
            self._take()
        self._report()
        return 0

    def _take(self) -> None:
        with _Told(self._whatif.cases[0], as_json=self._options["as_json"], each=self._options["each"]) as told:
            for item in self._items():
                told.tell(item, *self._whatif.take(item))
        self._whatif.finish()
        self._found = self._bees.found if self._bees is not None else {}

    def _taken_in_shares(self) -> bool:
        """Let two processes take the recording where nothing that is asked for goes by the order over all bees."""
        ordered = self._options["as_json"] or self._options["each"]
        if ordered or not all(apart(case.policy) for case in self._whatif.cases):
            return False
        parts = in_shares(self._share) if worthwhile(self._options["file"]) else None
        if parts is None:
            return False
        try:
            part = together(parts)
        except Crossed:
            return False
        self._whatif.take_over(part)
        self._found = dict(sorted(part.found.items()))
        return True

    def _share(self, share: Share) -> Part:
        whatif = self._whatif
        stream = self._stream()
        for item in stream.shared(self._messages(), share):
            if item is None:
                whatif.skip()
            else:
                whatif.take(item)
        whatif.finish(self._time.now() if whatif.messages else None)
        return whatif.part(stream.ids(), self._bees.found if self._bees is not None else {})

    def _grid(self) -> list[Candidate]:
        axes = [axis_of(text) for text in self._options["sweep"]]
        if not axes:
            return []
        if self._options["against"]:
            raise click.UsageError("--sweep compares many policies, --against two: ask for one of them")
        return grid(axes, _words(self._app, self._options["policy"]))

    def _cases(self) -> list[Case]:
        options, draw = self._options, self._draws()
        if self._candidates:
            named = [(", ".join(f"{k}={v}" for k, v in one.values.items()), one.policy) for one in self._candidates]
        else:
            named = [_policy(self._app, options["policy"])]
            named += [_policy(self._app, options["against"])] if options["against"] else []
        if len(named) > 1 and named[0][0] == named[1][0]:
            named = [(str(path), policy) for path, (_, policy) in zip(_paths(options), named, strict=False)]
        return [Case(name, policy, self._assumptions, draw=draw) for name, policy in named]

    def _draws(self) -> bool:
        pages = any(str(path).endswith((".html", ".htm")) for path in self._options["report"])
        return bool(self._options["plot"]) or (pages and not self._candidates)

    def _stream(self) -> Stream:
        from handlers.events import event_handlers
        from handlers.events.context import EventContext

        app, trusted = self._app, self._bees
        bees: Any = trusted if trusted is not None else app.bees
        context = EventContext(lambda: bees, lambda: app.policy, self._assumptions.installation)
        # What else comes in live says nothing of models.
        judged = {"feature.found", "model.evaluated"}
        handlers = {type_: one for type_, one in event_handlers(context).items() if type_ in judged}
        versions = TrustedVersions() if trusted is not None else KnownVersions(*self._history)
        bee_of = trusted.of if trusted is not None else (lambda evaluation: app.bees[evaluation.bee])
        ahead = max(case.policy.max_ahead for case in self._whatif.cases)
        return Stream(handlers, self._time, versions, bee_of, ahead=ahead)

    def _items(self) -> Iterator[Item]:
        stream = self._stream()
        if self._options["file"] is None:
            return _of_ledger(self._app, stream, self._options["from_"], self._options["to"])
        return stream.items(self._messages())

    def _messages(self) -> Iterator[Any]:
        """Yield the recording's messages; nothing is acknowledged, no dead letter is written."""
        for messages in batches(self._app.subscription, self._time):
            yield from messages

    def _report(self) -> None:
        whatif, options = self._whatif, self._options
        assumed = list(self._assumptions.sentences())
        found = self._found
        tables = tables_of(whatif, self._candidates)
        # Decisions for a program stay alone on standard output.
        err = options["as_json"] or "-" in options["report"]
        click.echo(scope(whatif), err=err)
        if not options["as_json"]:
            _print(tables, assumed, err=err)
        for path in options["report"]:
            if path == "-":
                click.echo(dumped(document(whatif, assumed, found)), nl=False)
            elif path.endswith(".json"):
                _write(Path(path), dumped(document(whatif, assumed, found)))
            else:
                _write(Path(path), page(whatif, _title(options), [*assumed, *_defaults(found)], tables))
        if options["plot"]:
            self._plot(Path(options["plot"]))

    def _plot(self, directory: Path) -> None:
        for number, case in enumerate(self._whatif.cases):
            suffix = "" if len(self._whatif.cases) == 1 else f".{number + 1}"
            for bee in most_telling(case):
                if drawn := picture(case, bee):
                    _write(directory / f"{bee}{suffix}.svg", drawn)


class _Told:
    """Prints decisions as they come, where that was asked for; what was said of an event is kept for its repeats."""

    def __init__(self, case: Case, *, as_json: bool, each: bool) -> None:
        self._version = case.policy.version
        self._as_json = as_json
        self._wanted = as_json or each
        self._log = DecisionLog()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()

    def tell(self, item: Item, found: Judged | None, against: Judged | None) -> None:
        """Print what was concluded."""
        if item.evaluation is None:
            if self._wanted:
                self._print({"action": "dead letter", "reason": item.reason, "messageId": item.message_id}, err=True)
        elif not self._wanted:
            return
        elif found is None:
            self._print(repeated(self._log.read(item.number)))
        else:
            said = decided(item, found, self._version)
            self._log.write(item.number, said)
            self._print(said if against is None else {**said, "against": _short(against)})

    def _print(self, said: Mapping[str, Any], *, err: bool = False) -> None:
        if self._as_json:
            click.echo(json.dumps(said, ensure_ascii=False), err=err)
        else:
            click.echo(decision_line(said))


def _short(found: Judged) -> Mapping[str, Any]:
    decision = found.decision
    return {"action": decision.action.value, "reason": decision.reason, "runId": found.run_id}


def _assumptions(app: Any, options: Mapping[str, Any]) -> Assumptions:
    cost = options["assume_cost"]
    estimates = {} if cost is not None else app.run_estimates()
    return Assumptions(
        outcome=Outcome(options["assume"]),
        lasts=timedelta(minutes=options["assume_minutes"]),
        cost=None if cost is None else Decimal(str(cost)),
        costs={bee: Decimal(str(one.amount)) for bee, one in estimates.items() if one.amount is not None},
        bases={bee: one.basis for bee, one in estimates.items()},
        trusted=options["trust_versions"],
    )


def _policy(app: Any, path: str | None) -> tuple[str, Any]:
    from config.schema import read_policy

    return (Path(path).name, read_policy(Path(path))) if path else ("the configured policy", app.policy)


def _paths(options: Mapping[str, Any]) -> tuple[str, str]:
    return options["policy"] or "the configured policy", options["against"]


def _words(app: Any, path: str | None) -> Mapping[str, Any]:
    """Return the content of the policy file around which is swept, checked. Raises Rejected."""
    from config.schema import read_policy
    from config.yaml_file import YamlFile

    files = [directory / "policy.yaml" for directory in app.configuration.directories]
    there = [Path(path)] if path else [file for file in files if file.exists()]
    if not there:
        return {}
    read_policy(there[-1])
    return YamlFile(there[-1]).content


def _of_ledger(app: Any, stream: Stream, begin: datetime | None, end: datetime | None) -> Iterator[Item]:
    """Yield the evaluations that the ledger has judged, with event times in [begin, end), in the order of their coming.

    Each counts once there: repeats and dead letters are not among them.
    """
    if not app.has_ledger:
        return
    with app.ledger.begin(write=False) as transaction:
        for one in transaction.decisions.list():
            if (begin is None or one.evaluated_at >= begin) and (end is None or one.evaluated_at < end):
                type_ = "feature.found" if "kinds" in one.evaluation else "model.evaluated"
                event = Event(one.source, one.event_id, type_, one.evaluated_at, one.evaluation)
                yield stream.recorded(event)


def _print(tables: Iterable[Any], assumed: Iterable[str], *, err: bool) -> None:
    if err:
        return
    click.echo("Nothing was done. Assumed:")
    for sentence in assumed:
        click.echo(f"- {sentence}")
    for table in tables:
        click.echo(f"\n{table.title}" if table.title else "")
        print_table(table.columns, table.rows, empty="")


def _defaults(found: Mapping[str, str]) -> list[str]:
    names = ", ".join(f"{bee} ({metric})" for bee, metric in list(found.items())[:20])
    more = f" and {len(found) - 20:,} more" if len(found) > 20 else ""
    return [f"Not configured, judged by the metric of their events: {names}{more}."] if found else []


def _title(options: Mapping[str, Any]) -> str:
    new = Path(options["policy"]).name if options["policy"] else "the configured policy"
    if options["sweep"]:
        return f"What if: {new}, swept over {', '.join(options['sweep'])}"
    return f"What if: {new} against {Path(options['against']).name}" if options["against"] else f"What if: {new}"


def _write(path: Path, text: str) -> None:
    """Write a file. Raises Rejected if that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Rejected(f"cannot be written: {error.strerror}", field=str(path), mend="name another place") from error

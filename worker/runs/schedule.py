"""Trigger what is due: each occurrence of a schedule asks for one run, however many workers there are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from worker.bee import BeeSpec
from worker.clock import Clock, to_text
from worker.errors import Rejected, TryLater
from worker.ledger import Ledger
from worker.pipelines.shape import Schedule
from worker.pipelines.template import Template
from worker.runs.lifecycle import Run, run_id
from worker.runs.request import request_run
from worker.runs.schedule_due import newest_due

log = structlog.get_logger()


@dataclass(frozen=True)
class Scheduler:
    """The loop over templates whose trigger is `schedule`.

    A template that is seen for the first time starts then: nothing of the past is made up for. Of several occurrences
    that were missed only the newest runs. While the bee has another run that may change its champion the occurrence
    waits for that one's end.
    """

    ledger: Ledger
    templates: Callable[[], Sequence[Template]]
    bees: Callable[[], Mapping[str, BeeSpec]]
    clock: Clock

    def turn(self) -> int:
        """Ask for the runs that are due and return how many there were.

        Raises:
            TryLater: the ledger is away, or a schedule cannot be followed (the others were).
        """
        done, faults = 0, []
        for template in self.templates():
            try:
                done += self._follow(template, template.schedule, self.clock()) if template.schedule else 0
            except Rejected as error:
                faults.append(f"the schedule of {template.name}: {error}")
        if faults:
            raise TryLater("; ".join(faults))
        return done

    def _follow(self, template: Template, schedule: Schedule, now: datetime) -> int:
        with self.ledger.begin(write=False) as transaction:
            last = transaction.schedules.last(template.name)
        if last is None:
            with self.ledger.begin() as transaction:
                transaction.schedules.take(template.name, now, None)
            return 0
        due = newest_due(schedule.cron, schedule.zone, after=last, now=now)
        if due is None:
            return 0
        return self._trigger(self._run(template, schedule, due, now), due, now)

    def _run(self, template: Template, schedule: Schedule, due: datetime, now: datetime) -> Run:
        bee = str(schedule.parameters["beeId"])
        if bee not in self.bees():
            known = ", ".join(sorted(self.bees())) or "none"
            raise Rejected(f"there is no bee {bee!r}", field="schedule.parameters.beeId", mend=f"one of: {known}")
        return Run(
            id=run_id(template.name, bee, self.ledger.installation, "due", to_text(due)),
            template=template.name,
            bee=bee,
            trigger="schedule",
            reason=f"due at {to_text(due)} ({schedule.cron}, {schedule.zone})",
            as_of=due,
            created_at=now,
            parameters=schedule.parameters,
            loop=template.loop,
        )

    def _trigger(self, run: Run, due: datetime, now: datetime) -> int:
        with self.ledger.begin() as transaction:
            transaction.lock([run.bee])
            if run.loop and transaction.runs.in_flight(run.bee):
                return 0
            if not transaction.schedules.take(run.template, due, run.id):
                return 0
            request_run(run, transaction, now)
        log.info("schedule is due", run=run.id, bee=run.bee, template=run.template, due=to_text(due))
        return 1

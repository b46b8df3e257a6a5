"""Online reads: a plan per set of names, one statement on a lent connection, another try if definitions moved."""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from worker.adapters.features.embedded import online
from worker.adapters.features.embedded.database import Database, faults
from worker.adapters.features.embedded.known import Known
from worker.adapters.features.embedded.plan import Plan
from worker.errors import NotFound

#: (ids, names, now) -> the answer.
Compute = Callable[[Sequence[str], Sequence[str], datetime], online.Answer]


class OnlineReader:
    """Reads the newest values; safe to share between threads."""

    def __init__(self, database: Database, known: Known, compute: Compute) -> None:
        """Read nothing yet; `compute` reads where a computed feature is among the names."""
        self._database = database
        self._known = known
        self._compute = compute
        self._codes: defaultdict[str, online.Codes] = defaultdict(dict)

    def read(self, ids: Sequence[str], names: tuple[str, ...], now: datetime) -> online.Answer:
        """Return the newest value of each feature for each id. Raises NotFound."""
        while True:
            seen = self._known.seen
            try:
                plan = seen.plans.get(names)
                if plan is None:
                    plan = seen.plan(names)
                if plan.computed:
                    return self._compute(ids, names, now)
                return self._planned(seen.epoch, plan, ids, now)
            except (online.Moved, NotFound):
                # Another process may have defined what is unknown here.
                if self._known.refreshed() is seen:
                    raise

    def _planned(self, epoch: int, plan: Plan, ids: Sequence[str], now: datetime) -> online.Answer:
        # Context managers would cost a third of a read of one entity.
        connection = self._database.borrow()
        try:
            if plan.only is None:
                answer = online.read_all(connection, epoch, plan, ids, now)
            elif len(ids) == 1:
                answer = online.read_one(connection, epoch, plan.only, ids[0], now, self._codes[plan.only.entity])
            else:
                answer = online.read_many(connection, epoch, plan.only, ids, now, self._codes[plan.only.entity])
        except sqlite3.DatabaseError:
            connection.close()
            with faults(self._database.path):
                raise
        except BaseException:
            self._database.give_back(connection)
            raise
        self._database.give_back(connection)
        return answer

"""The *project* loop: bring a model registry and its endpoints in line with the ledger, and keep them so.

What has an effect elsewhere is written down before it is asked for, and the operation that does it as soon as its name
is known; so whoever comes after a crash, or after a lost answer, looks for it instead of doing it twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from worker.clock import Clock
from worker.errors import ColonyError, LeaseLost, NotFound, TryLater
from worker.models.desired import Begin, Forget, Mark, Route, Rules, Seen, Step, Tell, Wanted, in_hand, steps, wanted
from worker.models.port import ModelVersion
from worker.models.projection import Books, Effort, Kind, Page, Phase, Registry, Told

log = structlog.get_logger()

LEASE_S = 180.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 60.0, 3600.0


@dataclass
class Projector:
    """Drives projections from the ledger; any number of processes may do so beside each other.

    Attributes:
        poll_s: how long a bee rests between two looks at what is in hand, in seconds.
        reconcile_s: how long one rests of which nothing is in hand: then what was changed elsewhere is mended.
        lease_s: how long a dead process's claim on a bee holds; longer than any one call takes, in seconds.
    """

    ledger: Books
    registry: Registry
    clock: Clock
    owner: str
    rules: Rules = field(default_factory=Rules)
    poll_s: float = 10.0
    reconcile_s: float = 300.0
    lease_s: float = LEASE_S
    _rests: dict[str, tuple[str, datetime]] = field(default_factory=dict, init=False)

    def turn(self, only: str | None = None) -> int:
        """Take each bee that is due one step further and return how many steps were taken.

        Args:
            only: leave the other bees alone.

        Raises:
            TryLater: ledger or registry are away, and nothing could be done.
        """
        with self.ledger.begin(write=False) as page:
            heads = page.projections.heads()
        taken, fault = 0, None
        for bee, head in heads.items():
            if only not in {None, bee} or not self._due(bee, head):
                continue
            try:
                taken += self._project(bee, head)
            except TryLater as error:
                log.warning("projection waits", bee=bee, reason=str(error))
                self._rest(bee, head, self.poll_s)
                fault = error
            except ColonyError as error:
                log.warning("cannot project", bee=bee, reason=str(error))
                self._rest(bee, head, _FIRST_PAUSE_S)
            except Exception:
                # One bee that trips over something unforeseen must not keep the others from being shown.
                log.exception("cannot project", bee=bee)
                self._rest(bee, head, _FIRST_PAUSE_S)
        if fault and not taken:
            raise fault
        return taken

    def _due(self, bee: str, head: str) -> bool:
        before, until = self._rests.get(bee, ("", self.clock()))
        return head != before or self.clock() >= until

    def _rest(self, bee: str, head: str, seconds: float) -> None:
        self._rests[bee] = (head, self.clock() + timedelta(seconds=seconds))

    def _project(self, bee: str, head: str) -> int:
        with self.ledger.begin() as page:
            epoch = page.projections.claim(bee, self.owner, lease_s=self.lease_s)
        if epoch is None:
            self._rest(bee, head, self.poll_s)
            return 0
        held = _Held(self, bee, epoch)
        try:
            taken = held.turn()
        except LeaseLost as error:
            log.info("lease lost", bee=bee, reason=str(error))
            return 0
        finally:
            with self.ledger.begin() as page:
                page.projections.release(bee, epoch)
        self._rest(bee, head, 0 if taken else held.rests_s())
        return taken


class _Held:
    """One turn of one bee, under its lease."""

    def __init__(self, loop: Projector, bee: str, epoch: int) -> None:
        self._loop = loop
        self._registry = loop.registry
        self._bee = bee
        self._epoch = epoch

    def turn(self) -> int:
        """Look at what is in hand and at what is there, and take the steps that follow. Raises LeaseLost, TryLater."""
        for effort in self._efforts():
            self._follow(effort)
        rules = self._loop.rules
        # Asked before the ledger: whoever told them of something newer meanwhile is not overruled.
        told = self._registry.told(self._bee) if rules.serving and rules.told else Told()
        versions, want = self._wanted()
        if not want.versions:
            # A bee whose versions are settings for a language model: there is no file to show.
            return 0
        names = [version.version for version in versions.values()]
        endpoint = self._registry.endpoint(self._bee, names) if rules.serving else None
        seen = Seen(self._registry.entries(self._bee, names), endpoint, told)
        found = steps(want, seen, self._efforts(), rules, self._loop.clock())
        for step in found:
            self._take(step, versions)
        return len(found)

    def rests_s(self) -> float:
        """Return for how many seconds nothing has to be looked at: until what failed is due again, at the latest."""
        loop, now = self._loop, self._loop.clock()
        efforts = self._efforts()
        if any(in_hand(effort, loop.rules, now) for effort in efforts):
            return loop.poll_s
        due = ((effort.again_at - now).total_seconds() for effort in efforts if effort.again_at)
        return max(loop.poll_s, min([loop.reconcile_s, *due]))

    def _wanted(self) -> tuple[Mapping[str, ModelVersion], Wanted]:
        with self._loop.ledger.begin(write=False) as page:
            versions = page.models.versions(self._bee)
            champion = page.models.champion(self._bee)
        return {one.version: one for one in versions}, wanted(versions, champion)

    def _efforts(self) -> Sequence[Effort]:
        with self._loop.ledger.begin(write=False) as page:
            return page.projections.efforts(self._bee).get(self._bee, ())

    def _follow(self, effort: Effort) -> None:
        """Take note of how far an operation is; one of which only the wish is known is looked for."""
        now = self._loop.clock()
        if effort.operation is None:
            if effort.since is not None and effort.kind is not Kind.IDLE:
                self._look_for(effort, effort.since)
            return
        progress = self._registry.progress(effort.operation)
        match progress.phase:
            case Phase.FAILED:
                self._failed(effort, progress.reason)
            case Phase.DONE | Phase.LOST:
                # What came of it is seen where it is to be, or after some time is asked for again.
                self._save(replace(effort, operation=None, since=now))

    def _look_for(self, effort: Effort, since: datetime) -> None:
        try:
            operation = self._registry.running(self._bee, effort.kind)
        except NotFound as error:
            until = since + self._loop.rules.blind
            if effort.again_at is None or effort.again_at < until:
                log.info("waiting to see", bee=self._bee, what=effort.kind.value, of=effort.subject, reason=str(error))
                self._save(replace(effort, again_at=until))
            return
        if operation is not None:
            self._save(replace(effort, operation=operation))

    def _take(self, step: Step, versions: Mapping[str, ModelVersion]) -> None:
        match step:
            case Forget(effort):
                self._write(lambda page: page.projections.forget(self._bee, effort))
                if effort.kind is not Kind.IDLE:
                    log.info("projected", bee=self._bee, what=effort.kind.value, of=effort.subject)
            case Mark(entry, add, remove):
                self._check_lease()
                self._registry.mark(self._bee, entry.number, add, remove)
                log.info("model aliases", bee=self._bee, version=entry.version, added=add, removed=remove)
            case Route(deployed):
                self._check_lease()
                self._registry.route(self._bee, deployed.id)
                log.info("traffic", bee=self._bee, version=deployed.version, percent=100)
            case Tell(live, instead_of):
                self._check_lease()
                self._registry.tell(self._bee, live, instead_of)
                log.info("model servers are told", bee=self._bee, live=live.decode())
            case Begin():
                self._begin(step, versions)

    def _begin(self, step: Begin, versions: Mapping[str, ModelVersion]) -> None:
        before = next((one for one in self._efforts() if (one.kind, one.subject) == (step.kind, step.subject)), None)
        effort = replace(
            before or Effort(step.kind, step.subject), since=self._loop.clock(), operation=None, again_at=None
        )
        self._save(effort)
        if step.kind is Kind.IDLE:
            return
        try:
            operation = self._ask(step, versions)
        except TryLater as error:
            # It may have had its effect or not: what is seen from now on tells.
            self._save(replace(effort, error=str(error)))
            raise
        except ColonyError as error:
            self._failed(effort, str(error))
            return
        self._save(replace(effort, operation=operation))

    def _ask(self, step: Begin, versions: Mapping[str, ModelVersion]) -> str | None:
        match step:
            case Begin(Kind.UPLOAD, version):
                return self._registry.upload(versions[version])
            case Begin(Kind.OPEN):
                return self._registry.open(self._bee)
            case Begin(Kind.DEPLOY, _, entry, split) if entry is not None:
                return self._registry.deploy(self._bee, entry, dict(split))
            case Begin(Kind.UNDEPLOY, deployed_id):
                return self._registry.undeploy(self._bee, deployed_id)
        raise NotFound(f"nothing is known of {step}")

    def _failed(self, effort: Effort, reason: str) -> None:
        faults = effort.faults + 1
        pause = min(_FIRST_PAUSE_S * 2 ** (faults - 1), _LONGEST_PAUSE_S)
        again_at = self._loop.clock() + timedelta(seconds=pause)
        log.warning("projection failed", bee=self._bee, what=effort.kind.value, of=effort.subject, reason=reason)
        self._save(replace(effort, since=None, operation=None, faults=faults, error=reason[:2000], again_at=again_at))

    def _check_lease(self) -> None:
        """Stop a process that was paused from undoing what another one has done since. Raises LeaseLost."""
        self._write(lambda _: None)

    def _save(self, effort: Effort) -> None:
        self._write(lambda page: page.projections.save(self._bee, effort))

    def _write(self, change: Callable[[Page], None]) -> None:
        with self._loop.ledger.begin() as page:
            page.projections.hold(self._bee, self._epoch, lease_s=self._loop.lease_s)
            change(page)

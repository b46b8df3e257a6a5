"""What a registry and its endpoint should show of a bee, and the next steps towards it: pure, from facts to steps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from worker.models.live import encoded, live_of
from worker.models.port import Deployment, ModelVersion
from worker.models.projection import CHALLENGER, CHAMPION, DEFAULT, Deployed, Effort, Endpoint, Entry, Kind, Told
from worker.models.shown import settings_of

_ALL = 100


@dataclass(frozen=True)
class Wanted:
    """What the ledger says of a bee: its versions, oldest first, the one in production, the one to replace it.

    Attributes:
        live: what its model servers are to be told.
    """

    versions: tuple[str, ...]
    champion: str | None = None
    challenger: str | None = None
    live: bytes | None = None


@dataclass(frozen=True)
class Seen:
    """What is there: the registry's entries, the endpoint, and what its model servers were told."""

    entries: Sequence[Entry] = ()
    endpoint: Endpoint | None = None
    told: Told = field(default_factory=Told)


@dataclass(frozen=True)
class Rules:
    """How it is done.

    Attributes:
        serving: whether champions are deployed to endpoints.
        told: whether their servers can be told of more than their own version.
        hold: how long a model without traffic stays deployed, ready to be gone back to.
        doubt: how long something that was asked for, with no answer, may take to show before it is asked for again.
        blind: the same where nobody can say which operations are under way.
    """

    serving: bool = False
    told: bool = False
    hold: timedelta = timedelta(hours=24)
    doubt: timedelta = timedelta(seconds=60)
    blind: timedelta = timedelta(minutes=30)


@dataclass(frozen=True)
class Forget:
    """An effort is seen done, or nobody wants it any more."""

    effort: Effort


@dataclass(frozen=True)
class Mark:
    """Change an entry's aliases."""

    entry: Entry
    add: tuple[str, ...]
    remove: tuple[str, ...]


@dataclass(frozen=True)
class Route:
    """Send all traffic to a deployed model."""

    deployed: Deployed


@dataclass(frozen=True)
class Begin:
    """Begin an effort; `entry` and `split` are of a deployment."""

    kind: Kind
    subject: str
    entry: Entry | None = None
    split: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Tell:
    """Tell the model servers what is live."""

    live: bytes
    instead_of: Told


Step = Forget | Mark | Route | Begin | Tell


def wanted(versions: Sequence[ModelVersion], deployment: Deployment | None) -> Wanted:
    """Return what should be shown; versions that consist of settings for a language model are no files to be served.

    The challenger is the version that is on its way into production, else the newest version that passed its gate, is
    newer than the champion, and waits to be promoted.
    """
    champion = deployment.version if deployment else None
    files = [one for one in versions if settings_of(one) is None]
    names = tuple(one.version for one in files)
    newer = names[names.index(champion) + 1 :] if champion in names else names
    waiting = [one.version for one in files if one.version in newer and one.state == "registered" and one.gate_passed]
    waiting += [one.version for one in files if one.state == "challenger"]
    challenger = waiting[-1] if waiting else None
    if deployment is None or champion not in names:
        return Wanted(names, None, challenger)
    return Wanted(names, champion, challenger, encoded(live_of(deployment, files)))


def steps(want: Wanted, seen: Seen, efforts: Sequence[Effort], rules: Rules, now: datetime) -> list[Step]:
    """Return what to do now, the most urgent first: traffic, then names, then deployments, then what may take long."""
    idle = [effort for effort in efforts if not effort.operation]
    done = [Forget(effort) for effort in idle if _over(effort, want, seen, in_hand=in_hand(effort, rules, now))]
    left = _Efforts([effort for effort in efforts if Forget(effort) not in done], rules, now)
    found: list[Step] = [*done, *_marks(want, seen)]
    if rules.serving and want.champion:
        found += _served(want.champion, seen, left)
        if rules.told and want.live is not None and seen.told.content != want.live:
            found.append(Tell(want.live, seen.told))
    found += _upload(want, seen, left)
    return sorted(found, key=lambda step: not isinstance(step, Route | Tell))


class _Efforts:
    """What is in hand."""

    def __init__(self, efforts: Sequence[Effort], rules: Rules, now: datetime) -> None:
        self._efforts = efforts
        self.rules = rules
        self.now = now

    def busy(self, *kinds: Kind) -> bool:
        """Whether one of these is under way, or may be for all that is known."""
        return any(effort.kind in kinds and in_hand(effort, self.rules, self.now) for effort in self._efforts)

    def held_back(self, kind: Kind, subject: str) -> bool:
        """Whether it failed so lately that it is not tried again now."""
        effort = self.get(kind, subject)
        return bool(effort and effort.again_at and effort.again_at > self.now)

    def may_undeploy(self, deployed_id: str) -> bool:
        """Whether nothing is in the way of undeploying a model."""
        return not self.busy(Kind.DEPLOY, Kind.UNDEPLOY) and not self.held_back(Kind.UNDEPLOY, deployed_id)

    def goes(self, deployed_id: str) -> bool:
        """Whether a deployed model is on its way out."""
        effort = self.get(Kind.UNDEPLOY, deployed_id)
        return effort is not None and in_hand(effort, self.rules, self.now)

    def get(self, kind: Kind, subject: str) -> Effort | None:
        """Return an effort."""
        return next((one for one in self._efforts if (one.kind, one.subject) == (kind, subject)), None)


def in_hand(effort: Effort, rules: Rules, now: datetime) -> bool:
    """Tell whether an effort is under way, or may be for all that is known."""
    if effort.kind is Kind.IDLE or effort.since is None:
        return False
    return effort.operation is not None or now < effort.since + rules.doubt


def _over(effort: Effort, want: Wanted, seen: Seen, *, in_hand: bool) -> bool:
    """Tell whether what an effort was for is seen, or is not wanted any more."""
    there = {one.id: one for one in seen.endpoint.deployed} if seen.endpoint else {}
    match effort.kind:
        case Kind.UPLOAD:
            return effort.subject in {entry.version for entry in seen.entries}
        case Kind.OPEN:
            return seen.endpoint is not None
        case Kind.DEPLOY:
            deployed = effort.subject in {one.version for one in there.values()}
            return deployed or (not in_hand and effort.subject != want.champion)
        case Kind.UNDEPLOY:
            return effort.subject not in there
        case Kind.IDLE:
            return effort.subject not in there or there[effort.subject].percent > 0


def _first(entries: Sequence[Entry], version: str) -> Entry | None:
    return next((entry for entry in entries if entry.version == version), None)


def _marks(want: Wanted, seen: Seen) -> list[Step]:
    """Return changes of aliases, first what takes one away, so that two entries never claim the same."""
    found = []
    # Until the new champion is registered the name stays where it is.
    kept = {CHAMPION} if want.champion and not _first(seen.entries, want.champion) else set()
    for entry in seen.entries:
        if not entry.version or entry != _first(seen.entries, entry.version):
            wants = set()
        else:
            wants = {CHAMPION} if entry.version == want.champion else set()
            wants |= {CHALLENGER} if entry.version == want.challenger else set()
        has = entry.aliases & {CHAMPION, CHALLENGER}
        add = wants - has | ({DEFAULT} - entry.aliases if CHAMPION in wants else set())
        remove = has - wants - kept
        if add or remove:
            found.append(Mark(entry, tuple(sorted(add)), tuple(sorted(remove))))
    return [*sorted(found, key=lambda mark: not mark.remove)]


def _upload(want: Wanted, seen: Seen, efforts: _Efforts) -> list[Step]:
    """Return the next upload: one at a time, production first, then in the order in which they were made."""
    if efforts.busy(Kind.UPLOAD):
        return []
    there = {entry.version for entry in seen.entries}
    order = [want.champion, *want.versions] if want.champion else list(want.versions)
    missing = [version for version in order if version not in there]
    due = (version for version in missing if not efforts.held_back(Kind.UPLOAD, version))
    return [Begin(Kind.UPLOAD, version) for version in islice(due, 1)]


def _served(champion: str, seen: Seen, efforts: _Efforts) -> list[Step]:
    if seen.endpoint is None:
        busy = efforts.busy(Kind.OPEN) or efforts.held_back(Kind.OPEN, "")
        return [] if busy else [Begin(Kind.OPEN, "")]
    ours = [one for one in seen.endpoint.deployed if one.version == champion and not efforts.goes(one.id)]
    if not ours:
        return _deploy(champion, seen, seen.endpoint, efforts)
    live = max(ours, key=lambda one: one.percent)
    if live.percent < _ALL:
        # What it replaces keeps its traffic until now, and is begun to be counted as idle when that is seen.
        return [Route(live)]
    return _tidy(seen.endpoint, live, efforts)


def _deploy(champion: str, seen: Seen, endpoint: Endpoint, efforts: _Efforts) -> list[Step]:
    entry = _first(seen.entries, champion)
    in_the_way = efforts.busy(Kind.DEPLOY, Kind.UNDEPLOY) or efforts.held_back(Kind.DEPLOY, champion)
    if entry is None or in_the_way:
        return []
    split = {one.id: one.percent for one in endpoint.deployed if one.percent}
    # Nothing is sent to the new one before it is there: its traffic is a change of its own, as going back is.
    share = {**split, "0": 0} if sum(split.values()) == _ALL else {"0": _ALL}
    return [Begin(Kind.DEPLOY, champion, entry, tuple(share.items()))]


def _tidy(endpoint: Endpoint, live: Deployed, efforts: _Efforts) -> list[Step]:
    """Return the note of what is without traffic, and once it has been so for long enough, its end."""
    found: list[Step] = []
    for one in endpoint.deployed:
        if one is live or not one.version or one.percent:
            continue
        idle = efforts.get(Kind.IDLE, one.id)
        if idle is None or idle.since is None:
            found.append(Begin(Kind.IDLE, one.id))
        elif efforts.now >= idle.since + efforts.rules.hold and efforts.may_undeploy(one.id):
            return [*found, Begin(Kind.UNDEPLOY, one.id)]
    return found

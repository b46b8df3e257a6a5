"""A look at features through the store: the window, the period before, what models learned from, what was served.

One feature after the other is read and summed up, so that fifty take no more memory than one. The period before is its
profile where that was kept; so is a training snapshot.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from worker.bee import BeeSpec
from worker.errors import NotFound, Rejected
from worker.features.computed.inputs import closure
from worker.features.port import Definition, FeatureStore, LabelWindow, Reader, TrainingRequest
from worker.models.port import ModelVersion
from worker.monitor.column import Side, Summary, summed_up
from worker.monitor.drift import compare_column, judge
from worker.monitor.feature_read import Crowd, Read
from worker.monitor.feature_spec import FeatureGroup
from worker.monitor.features import FeatureState, Observed, before, observed, only_seen, ranked, states
from worker.monitor.finding import Finding
from worker.monitor.period import Named, Period
from worker.monitor.profile import SNAPSHOT, Profile
from worker.monitor.rows import Reading, Rows, values_in
from worker.monitor.sketch import profile_of, side_of
from worker.serving.served import is_log
from worker.serving.skew import serving_skew

log = structlog.get_logger()

_READER = Reader("monitor:features", "batch")
#: Returns what was kept of a feature and a period, None if nothing was.
Kept = Callable[[str, str], Profile | None]
Champion = tuple[BeeSpec, ModelVersion]


@dataclass(frozen=True)
class Seen:
    """What a look found.

    Attributes:
        states: of each feature, those with findings first.
        profiles: to be kept.
        feeds: feature -> the computed features that are made of it.
    """

    window: Period
    states: Sequence[FeatureState]
    profiles: Sequence[Profile]
    feeds: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """Looks at one window of a group of features.

    Attributes:
        as_of: what was not known by then is not there.
        kept: profiles of before.
        champions: the bees with what they have in production.
    """

    store: FeatureStore
    group: FeatureGroup
    window: Period
    as_of: datetime
    kept: Kept = lambda _feature, _period: None
    champions: Sequence[Champion] = ()

    def see(self) -> Seen:
        """Return what is said of the group's features. Raises Rejected: values that cannot be read."""
        definitions = {item.name: item for item in self.store.definitions()}
        spec = self.group.spec
        wanted = self.group.of(definitions)
        features, profiles = self._observed(wanted, definitions)
        found = {one.definition.name: one for one in states(features, self.window, spec.drift, spec.expect)}
        feeds = _feeds(found, definitions)
        # Those that are computed are looked at for the bees that read them; a clean window ends what was found before.
        made = {one for fed in feeds.values() for one in fed}
        for name in made.intersection(name for bee, _ in self.champions for name in bee.features):
            found[name] = only_seen(definitions[name], self.window)
        for name, finding in self._of_bees(set(found), profiles):
            found[name] = found[name].with_more([finding])
        return Seen(self.window, ranked(found.values()), profiles, feeds)

    def _observed(
        self, wanted: Sequence[Definition], definitions: Mapping[str, Definition]
    ) -> tuple[list[Observed], list[Profile]]:
        entities = dict.fromkeys(item.entity for item in wanted)
        found, profiles = [], []
        for entity in entities:
            names = {item.name for item in wanted}
            own = [item for item in definitions.values() if item.source == "ingested" and item.entity == entity]
            # Who was seen is told by all features of an entity, whichever are asked for; who was asked about was not.
            own = [item for item in own if item.name in names or not is_log(item)]
            for one, profile in self._of_entity(own):
                profiles.append(profile)
                found += [one] if one.definition.name in names else []
        return found, profiles

    def _of_entity(self, items: Sequence[Definition]) -> list[tuple[Observed, Profile]]:
        """Return what came in of all features of one entity; the values of one are gone before the next is read."""
        compared = "previous" in self.group.spec.reference
        kept = {item.name: self._kept(item) if compared else None for item in items}
        # Who was seen before is known from profiles only if there is one of each feature.
        complete = compared and all(kept.values())
        crowds, found = (Crowd(), Crowd()), []
        newest = {one.feature: one.newest_event for one in self.store.facts()}
        for item in items:
            profile = kept[item.name] if complete else None
            earlier = None if profile is None else self._side(profile)
            part = self._read(item, back=compared and earlier is None)
            crowds[0].take(part.window)
            crowds[1].take(part.previous)
            window, earlier = part.sides(earlier, profile)
            one = observed(item, window, earlier, self.group.spec.drift)
            one = replace(one, newest=one.newest or self._before_the_end(newest.get(item.name)))
            made = profile_of(item.name, item.type, self.window, replace(window, newest=one.newest))
            found.append((one, made))
        earlier_seen, seen = crowds[1].count, crowds[0].count
        return [
            (replace(one, seen=(one.seen[0] or earlier_seen, seen)), replace(made, seen=seen)) for one, made in found
        ]

    def _before_the_end(self, newest: datetime | None) -> datetime | None:
        """Return the store's newest event if it had happened by then: neither period may have one."""
        return newest if newest is not None and newest < self.window.end else None

    def _kept(self, item: Definition) -> Profile | None:
        profile = self.kept(item.name, before(self.window).id)
        return profile if profile is not None and profile.type == item.type else None

    def _side(self, profile: Profile) -> Side | None:
        """Return the period before as it was kept; None where its rows are to be read."""
        try:
            return side_of(profile)
        except Rejected as error:
            log.warning("a profile cannot be read", feature=profile.feature, period=profile.period, reason=str(error))
            return None

    def _read(self, item: Definition, *, back: bool) -> Read:
        start = before(self.window).start if back else self.window.start
        request = TrainingRequest(item.entity, (), label=LabelWindow(item.name, start, self.as_of))
        rows = values_in(self.store, request, _READER)
        return Read(item, rows.of_period(self.window), rows.of_period(before(self.window)) if back else None)

    def _of_bees(self, names: set[str], profiles: list[Profile]) -> Iterator[tuple[str, Finding]]:
        """Yield what is wrong with a feature for the model of one bee. What cannot be compared is told in the log."""
        for bee, version in self.champions:
            read = [name for name in bee.features if name in names]
            if bee.task == "generation" or not read:
                continue
            for compare in (self._unlike, self._skewed):
                try:
                    yield from compare(bee, version, read, profiles)
                except (Rejected, NotFound) as error:
                    log.warning("features cannot be compared for a bee", bee=bee.bee, reason=str(error))

    def _unlike(
        self, bee: BeeSpec, version: ModelVersion, names: Sequence[str], profiles: list[Profile]
    ) -> Iterator[tuple[str, Finding]]:
        snapshot = str(version.lineage.get("snapshotId") or "")
        if "training" not in self.group.spec.reference or not snapshot:
            return
        reading, drift = Reading(self.store, bee, self.as_of), self.group.spec.drift
        rows = reading.values_of(reading.observed(self.window.start).of_period(self.window))
        types = {item.name: item.type for item in self.store.definitions()}
        learned = self._learned(reading, snapshot, profiles)
        columns = [
            compare_column(name, learned(name, types[name]), summed_up(rows.column(name, types[name])), drift)
            for name in names
        ]
        for column in judge(columns, None, drift).features:
            if column.findings:
                words = f"unlike what version {version.version} of {bee.bee} learned from: {', '.join(column.findings)}"
                yield column.name, Finding("unlikeTraining", words, bee.bee, version.version)

    def _learned(self, reading: Reading, snapshot: str, profiles: list[Profile]) -> Callable[[str, str], Summary]:
        """Return what tells a column of a training snapshot: from what was kept of it, else from its rows."""
        period = f"{SNAPSHOT}{snapshot}"
        rows: list[Rows] = []

        def learned(name: str, type_: str) -> Summary:
            kept = self.kept(name, period)
            side = self._side(kept) if kept is not None and kept.type == type_ else None
            if side is not None:
                return side.values
            if not rows:
                rows.append(reading.trained_on(snapshot))
            summary = summed_up(rows[0].column(name, type_))
            # A snapshot is kept as long as the windows that are compared with it.
            span = Named(rows[0].first or self.window.start, self.window.end, period)
            profiles.append(profile_of(name, type_, span, Side(summary, summary.known, summary.rows)))
            return summary

        return learned

    def _skewed(
        self, bee: BeeSpec, version: ModelVersion, names: Sequence[str], _profiles: list[Profile]
    ) -> Iterator[tuple[str, Finding]]:
        for one in serving_skew(self.store, bee, self.window.start, self.window.end):
            words = one.finding(min_rows=self.group.spec.drift.min_rows)
            if words and one.feature in names:
                yield one.feature, Finding("skewed", words, bee.bee, version.version)


def _feeds(names: Mapping[str, object], definitions: Mapping[str, Definition]) -> dict[str, list[str]]:
    """Return which computed features are made of each of these, through others, too."""
    found: dict[str, list[str]] = {}
    for item in definitions.values():
        if item.source == "computed":
            for name in closure([item.name], definitions):
                if name in names and name != item.name:
                    found.setdefault(name, []).append(item.name)
    return found

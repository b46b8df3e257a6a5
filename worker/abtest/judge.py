"""A test's evidence read and analysed, through the ports; changes nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from worker.abtest.adjust import Adjustment, stratum
from worker.abtest.analysis import Analysis, Gathered, analyse
from worker.abtest.exposures import Answers, Exposures
from worker.abtest.forecast import Forecast, covariates_of, forecast
from worker.abtest.machine import AbTest
from worker.abtest.measures import Measure
from worker.abtest.plan import AbPlan
from worker.abtest.source import Source
from worker.abtest.streams import Series
from worker.bee import BeeSpec
from worker.clock import parse_time
from worker.errors import NotFound
from worker.features.port import FeatureStore, Value
from worker.models.port import ArtifactStore, ModelFormat, ModelVersion, Predictor
from worker.models.traffic import all_to
from worker.steps.slices import parts

#: Tests whose scored rows are kept in memory.
_MOST_KEPT = 8


@dataclass
class Judge:
    """Reads and scores; what it has scored for a test it keeps while the process lasts.

    Attributes:
        features: asked for when it is needed.
    """

    features: Callable[[], FeatureStore]
    artifacts: ArtifactStore
    format: ModelFormat
    _sources: dict[str, Source] = field(default_factory=dict, init=False)

    def forecast(self, plan: AbPlan, bee: BeeSpec, champion: ModelVersion, as_of: datetime) -> Forecast:
        """Return how many entities a test would need, from the bee's window before a time. Raises Rejected."""
        source = Source(
            self.features(), bee, plan, all_to(champion.version), as_of - bee.window, self._loader([champion])
        )
        until = champion.lineage.get("trainedUntil")
        return forecast(source, champion.version, as_of, parse_time(until) if until else None)

    def analyse(
        self,
        test: AbTest,
        bee: BeeSpec,
        versions: Mapping[str, ModelVersion],
        expected: Mapping[str, Any],
        as_of: datetime,
    ) -> Analysis:
        """Return what is known of a test by a time.

        Args:
            test: running or over.
            bee: its spec.
            versions: by name, those of the test and the champion that it began with.
            expected: its forecast, as JSON values.
            as_of: what became known later is not there.

        Raises:
            Rejected: exposures or outcomes cannot be read.
            NotFound: a version's file is gone.
        """
        source = self._source(test, bee, versions)
        exposed, answers = source.exposed(as_of)
        primary = _series(source, source.primary, exposed, answers, as_of)
        primary = _adjusted(source, primary, exposed, Adjustment.read(expected.get("adjustment")), test.champion)
        primary = replace(primary, planned=tuple(expected.get("planned") or ()))
        guards = {name: _series(source, one, exposed, answers, as_of) for name, one in source.guards.items()}
        return analyse(test.plan, Gathered(exposed, primary, guards, _slices(source, exposed)), test.started_at, as_of)

    def forget(self, test_id: str) -> None:
        """Drop what was scored for a test that is over."""
        self._sources.pop(test_id, None)

    def _source(self, test: AbTest, bee: BeeSpec, versions: Mapping[str, ModelVersion]) -> Source:
        found = self._sources.get(test.id)
        if found is None or found.bee != bee:
            traffic, loader = test.plan.traffic(test.id), self._loader(list(versions.values()))
            found = Source(self.features(), bee, test.plan, traffic, test.started_at, loader)
            while len(self._sources) >= _MOST_KEPT:
                self._sources.pop(next(iter(self._sources)))
            self._sources[test.id] = found
        return found

    def _loader(self, versions: list[ModelVersion]) -> Callable[[str], Predictor]:
        known, loaded = {one.version: one for one in versions}, dict[str, Predictor]()

        def load(name: str) -> Predictor:
            if name not in known:
                raise NotFound(f"version {name} is not registered")
            if name not in loaded:
                artifact = known[name].artifact
                loaded[name] = self.format.load(self.artifacts.fetch(artifact), artifact.sha256)
            return loaded[name]

        return load


def _series(source: Source, measure: Measure, exposed: Exposures, answers: Answers, as_of: datetime) -> Series:
    outcomes = source.outcomes(measure, exposed, answers, as_of)
    return Series(measure, outcomes, exposed.arms[outcomes.places], single=source.plan.horizon is None)


def _adjusted(source: Source, series: Series, exposed: Exposures, by: Adjustment, champion: str) -> Series:
    places = series.outcomes.places.tolist()
    if by.kind == "cuped":
        entities = [exposed.entities[place] for place in places]
        return replace(series, covariates=covariates_of(source, entities, champion))
    if by.kind == "stratified" and source.plan.stratify is not None:
        values = source.values_at([source.plan.stratify], exposed)[source.plan.stratify]
        return replace(series, strata=[stratum(values[place]) for place in places])
    return series


def _slices(source: Source, exposed: Exposures) -> dict[str, list[str]]:
    """Return the slice of each exposed entity, numbers of many values cut into quarters."""
    from worker.steps.tables import Rows

    columns: Mapping[str, list[Value]] = source.values_at(source.plan.slices, exposed) if len(exposed) else {}
    found = {}
    for name in columns:
        names = [""] * len(exposed)
        for value, places in parts(Rows([], [], columns, {}), name):
            for place in places.tolist():
                names[place] = value
        found[name] = names
    return found

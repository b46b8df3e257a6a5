"""Who would miss a feature: bees whose specs name it, features computed from it, models in production that read it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from worker.bee import BeeSpec
from worker.features.port import Definition
from worker.ledger import Ledger
from worker.models.port import ModelVersion


@dataclass(frozen=True)
class Users:
    """Who uses one feature; each list is in order.

    Attributes:
        bees: whose spec names it: as a feature, as the label, or as the way to another entity.
        computed: features that are computed from it directly.
        models: `bee version` in production that were trained with it.
    """

    bees: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """Return each user as a person reads it."""
        return [
            *(f"the bee {name}" for name in self.bees),
            *(f"the computed feature {name}" for name in self.computed),
            *(f"the model {name} in production" for name in self.models),
        ]


def users_of(
    name: str, definitions: Iterable[Definition], bees: Mapping[str, BeeSpec], live: Iterable[ModelVersion]
) -> Users:
    """Return who uses a feature."""
    from worker.features.computed.inputs import users_of as computed_from

    return Users(
        bees=tuple(sorted(bee for bee, spec in bees.items() if name in spec.reads)),
        computed=tuple(computed_from(name, definitions)),
        models=tuple(sorted(f"{model.bee} {model.version}" for model in live if name in reads_of(model))),
    )


def reads_of(model: ModelVersion) -> set[str]:
    """Return every feature that a version was trained with, as its registry entry says."""
    return {*(model.lineage.get("features") or ()), *(model.lineage.get("definitions") or {})}


def live_models(ledger: Ledger) -> Sequence[ModelVersion]:
    """Return the versions that are in production, one per bee at most."""
    with ledger.begin(write=False) as transaction:
        champions = {change.bee: change.version for change in transaction.models.deployments()}
        found = [transaction.models.get(bee, version) for bee, version in champions.items()]
    return [version for version in found if version is not None]

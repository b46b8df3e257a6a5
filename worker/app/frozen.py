"""The configuration as *launch* freezes it into a run (its port is `worker.runs.launch.Freezer`)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from worker.app.configuration import Configuration
from worker.app.packages import code_version
from worker.bee import BeeSpec
from worker.errors import Rejected
from worker.features.port import FeatureStore
from worker.generation import Price


@dataclass(frozen=True)
class Frozen:
    """Reads configuration and feature store.

    Attributes:
        features: opens the feature store, for specs alone nobody needs it.
        runs_root: the directory, or the prefix in a bucket, under which each run has its own.
    """

    configuration: Configuration
    features: Callable[[], FeatureStore]
    runs_root: str

    def bee(self, name: str) -> BeeSpec:
        """Return the bee's spec. Raises Rejected if it is gone."""
        bees = self.configuration.bees
        if name not in bees:
            raise Rejected(f"there is no bee {name!r} any more", field="bee", mend=f"add config/bees/{name}.yaml")
        return _priced(bees[name], self.configuration)

    def spec(self, template: str) -> Mapping[str, Any]:
        """Return the compiled spec. Raises Rejected if the template is unknown or its spec is stale."""
        return self.configuration.compiled(self.configuration.templates.get_known(template))

    def template_parameters(self, template: str) -> Mapping[str, Any]:
        """Return the template's parameters with their defaults."""
        return self.configuration.templates.get_known(template).parameters

    def definitions(self, bee: BeeSpec) -> Mapping[str, int]:
        """Return feature -> version for all that the bee reads, and what that is computed from.

        Raises:
            Rejected: one is not defined.
        """
        from worker.features.computed.inputs import closure

        defined = {item.name: item for item in self.features().definitions()}
        self.configuration.check_reachable(bee)
        wanted = list(bee.reads)
        missing = [name for name in wanted if name not in defined]
        if missing:
            raise Rejected(
                f"{bee.bee} reads {', '.join(missing)}, which the feature store does not know",
                field="features",
                mend="define them: `colony features define`, or a file in config/features",
            )
        return {name: defined[name].version for name in closure(wanted, defined)}

    def output_dir(self, run_id: str) -> str:
        """Return where the run's artifacts go."""
        return f"{self.runs_root}/{run_id}"

    @property
    def policy_version(self) -> str:
        """The hash of the policy in force."""
        return self.configuration.policy.version

    @property
    def code_version(self) -> str:
        """The version of this program."""
        return code_version()


def _priced(bee: BeeSpec, configuration: Configuration) -> BeeSpec:
    """Return a bee that generates text with the price list's tokens beside its own: steps read no price list."""
    if bee.task != "generation":
        return bee
    listed = {name: Price(input=one.input, output=one.output) for name, one in configuration.prices.tokens.items()}
    prices = {**listed, **bee.trainer.prices}
    return bee.model_copy(update={"trainer": bee.trainer.model_copy(update={"prices": prices})})

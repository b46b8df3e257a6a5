"""The configuration beside the ports: what is read of it, frozen into runs, compiled, and brought into the store."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from config.settings import Settings
from handlers.commands.define_feature import tell_defined
from worker.app.configuration import Configuration
from worker.app.frozen import Frozen
from worker.app.ports import Ports
from worker.app.pricing import Pricing
from worker.bee import BeeSpec
from worker.clock import Clock
from worker.costs.estimate import Estimate
from worker.decide.policy import Policy
from worker.errors import Rejected
from worker.features.port import Definition
from worker.pipelines.cache import write_compiled
from worker.pipelines.load import Templates
from worker.runs.estimates import estimated


class Configured(Ports):
    """The ports with the configuration."""

    def __init__(self, settings: Settings, clock: Clock, *, source: str | None = None) -> None:
        """As `Ports`."""
        super().__init__(settings, clock, source=source)
        self.configuration = Configuration(settings)

    @property
    def bees(self) -> Mapping[str, BeeSpec]:
        """Every bee's spec."""
        return self.configuration.bees

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self.configuration.policy

    @property
    def templates(self) -> Templates:
        """Template name -> template; a faulty one says so when it is looked up."""
        return self.configuration.templates

    @cached_property
    def pricing(self) -> Pricing:
        """What runs cost."""
        return Pricing(self.configuration, self.settings)

    def run_estimates(self) -> dict[str, Estimate]:
        """Return bee -> what a run of its pipeline will cost; empty where there is no ledger yet."""
        if not self.has_ledger:
            return {}
        typical = self.pricing.typical
        with self.ledger.begin(write=False) as transaction:
            return {name: estimated(bee, bee.pipeline, transaction, typical) for name, bee in self.bees.items()}

    @cached_property
    def frozen(self) -> Frozen:
        """The configuration as launch reads it."""
        return Frozen(self.configuration, lambda: self.features, self.settings.runs_root)

    def compile(self, name: str, into: Path | None) -> Path:
        """Compile a template with kfp into a configuration layer and return the file."""
        template = self.templates.get_known(name)
        return write_compiled(template, self.compile_template(template), into or self.configuration.directories[-1])

    def define_features(self) -> list[Definition]:
        """Bring the store's definitions in line with `config/features`; unchanged ones are left alone.

        Changes are told to the colony, and a feature that was deprecated stays so.

        Raises:
            Rejected: one that cannot be defined, with its name.
            Conflict: one that cannot be changed so.
        """
        from worker.features.computed.inputs import in_order

        deprecated = {item.name: item.deprecated for item in self.features.definitions()}
        wanted = in_order(self.configuration.features.values())
        defined = [self._define(replace(item, deprecated=deprecated.get(item.name, ""))) for item in wanted]
        tell_defined(defined, self.ledger, self.clock())
        return defined

    def _define(self, definition: Definition) -> Definition:
        try:
            return self.features.define(definition)
        except Rejected as error:
            field = f"features.{definition.name}.{error.field}"
            raise Rejected(error.reason, field=field, mend=error.mend) from error

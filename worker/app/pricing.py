"""What runs cost where they run, by the settings and the price list."""

from dataclasses import dataclass, field

from config.settings import Settings
from worker.app.configuration import Configuration
from worker.costs.estimate import Estimate, typical_local, typical_vertex
from worker.costs.machine import steps
from worker.errors import Rejected
from worker.runs.cost import Prices


@dataclass(frozen=True)
class Pricing:
    """The prices that count, and what a run of a template costs of which nothing is known; read once per template."""

    configuration: Configuration
    settings: Settings
    _found: dict[str, Estimate] = field(default_factory=dict, init=False)

    @property
    def prices(self) -> Prices:
        """What a run is reckoned by. Raises Rejected if the price list is faulty."""
        settings = self.settings
        own = Prices(settings.cpu_hour_price, settings.memory_gb_hour_price)
        if settings.backend("engine", "vertex") == "local":
            return own
        return Prices(own.cpu_hour, own.memory_gb_hour, self.configuration.prices, settings.region)

    def typical(self, template: str) -> Estimate:
        """Return what a run of a template will cost by its steps' machines and a typical time, or why nobody knows."""
        if template not in self._found:
            self._found[template] = self._typical(template)
        return self._found[template]

    def _typical(self, template: str) -> Estimate:
        try:
            prices, listed = self.prices, self.configuration.prices
            template_ = self.configuration.templates.get_known(template)
            machines = [line for _, line in steps(self.configuration.compiled(template_))]
        except Rejected as error:
            return Estimate(None, f"no run of {template} yet, and {error.reason}")
        if prices.listed is None:
            return typical_local(len(machines), listed.typical_local_step, prices.cpu_hour, prices.memory_gb_hour)
        return typical_vertex(machines, prices.listed, prices.region)

"""The price list: what machines cost an hour by region, what a pipeline run costs, and tokens; data with its date."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from worker.costs.machine import DEFAULT, Machine


@dataclass(frozen=True)
class MachinePrice:
    """One machine type: its cores, its memory (units of 10^9 bytes), its price an hour, and the date of that."""

    name: str
    cpu: float
    memory_gb: float
    hour: float
    as_of: date


@dataclass(frozen=True)
class AcceleratorPrice:
    """One accelerator: its price an hour, and which machine types it goes into (the beginnings of their names)."""

    hour: float
    as_of: date
    machines: tuple[str, ...] = ("n1-",)


@dataclass(frozen=True)
class RegionPrices:
    """What one region's machines cost."""

    machines: Mapping[str, MachinePrice] = field(default_factory=dict)
    accelerators: Mapping[str, AcceleratorPrice] = field(default_factory=dict)


@dataclass(frozen=True)
class TokenPrice:
    """The price of a million tokens."""

    input: float
    output: float


@dataclass(frozen=True)
class PriceList:
    """Every price.

    Attributes:
        as_of: when the newest of the files was true.
        currency: of all prices, and of the bill's figures once they are converted.
        run_fee: of one pipeline run; None: not known.
        increment: in steps of what a machine's time is charged.
        typical_step, typical_local_step: how long a step takes of which nothing is known, on Vertex AI and here.
        regions: region -> its prices; tokens: model -> its price.
    """

    as_of: date
    currency: str = "USD"
    run_fee: float | None = None
    increment: timedelta = timedelta(seconds=30)
    typical_step: timedelta = timedelta(minutes=5)
    typical_local_step: timedelta = timedelta(seconds=30)
    regions: Mapping[str, RegionPrices] = field(default_factory=dict)
    tokens: Mapping[str, TokenPrice] = field(default_factory=dict)

    def rate(self, region: str, machine: Machine) -> "Rate":
        """Return what an hour of the cheapest machine costs that has what is asked for, or why it is not known."""
        prices = self.regions.get(region)
        if prices is None:
            return Rate(None, f"the price list of {self.as_of} has no prices for the region {region}")
        card = prices.accelerators.get(machine.accelerator)
        if machine.accelerator and card is None:
            return Rate(None, f"the price list of {self.as_of} has no price for {machine.accelerator} in {region}")
        fits = [one for one in prices.machines.values() if _fits(one, machine, card)]
        if not fits:
            asked = DEFAULT if machine == Machine() else machine.text
            return Rate(None, f"the price list of {self.as_of} has no price for {asked} in {region}")
        chosen = min(fits, key=lambda one: (one.hour, one.name))
        hour, oldest = chosen.hour, chosen.as_of
        words = chosen.name
        if card is not None:
            hour, oldest = hour + machine.count * card.hour, min(oldest, card.as_of)
            words = f"{words} with {machine.count} {machine.accelerator}"
        return Rate(hour, words, oldest)


def _fits(one: MachinePrice, machine: Machine, card: AcceleratorPrice | None) -> bool:
    if machine == Machine():
        return one.name == DEFAULT
    holds = card is None or one.name.startswith(card.machines)
    return holds and one.cpu >= machine.cpu and one.memory_gb >= machine.memory_gb


@dataclass(frozen=True)
class Rate:
    """What an hour costs: of what, by a price of when; None: not known, and `words` says why."""

    hour: float | None
    words: str
    as_of: date | None = None

"""The form of `prices.yaml`, and how one file is laid over another."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from worker.bee import Duration, Value
from worker.costs.machine import gigabytes
from worker.costs.prices import AcceleratorPrice, MachinePrice, PriceList, RegionPrices, TokenPrice

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Gigabytes = Annotated[float, BeforeValidator(gigabytes), Field(gt=0, allow_inf_nan=False)]


class _Machine(Value):
    cpu: Annotated[float, Field(gt=0)]
    memory: Gigabytes
    hour: Amount
    as_of: date | None = None


class _Accelerator(Value):
    hour: Amount
    machines: Annotated[list[str], Field(min_length=1)] = Field(default_factory=lambda: ["n1-"])
    as_of: date | None = None


class _Region(Value):
    machines: dict[str, _Machine] = Field(default_factory=dict)
    accelerators: dict[str, _Accelerator] = Field(default_factory=dict)


class _Vertex(Value):
    source: str = ""
    pipeline_run: Amount | None = None
    increment: Duration | None = None
    typical_step: Duration | None = None
    regions: dict[str, _Region] = Field(default_factory=dict)


class _Local(Value):
    typical_step: Duration | None = None


class _Token(Value):
    input: Amount
    output: Amount


class _Tokens(Value):
    source: str = ""
    models: dict[str, _Token] = Field(default_factory=dict)


class PricesFile(Value):
    """One file: prices of a day, in one currency."""

    as_of: date
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"
    local: _Local = _Local()
    vertex: _Vertex = _Vertex()
    tokens: _Tokens = _Tokens()

    def regions(self) -> dict[str, RegionPrices]:
        """Return its regions, each price with its date."""
        return {name: self._region(region) for name, region in self.vertex.regions.items()}

    def _region(self, region: _Region) -> RegionPrices:
        machines = {
            name: MachinePrice(name, one.cpu, one.memory, one.hour, one.as_of or self.as_of)
            for name, one in region.machines.items()
        }
        cards = {
            name: AcceleratorPrice(one.hour, one.as_of or self.as_of, tuple(one.machines))
            for name, one in region.accelerators.items()
        }
        return RegionPrices(machines, cards)


def laid_over(files: Sequence[PricesFile]) -> PriceList:
    """Return the price list of files, the later ones over the earlier; one in another currency drops those before."""
    first = max((at for at, file in enumerate(files) if file.currency != files[-1].currency), default=-1) + 1
    used = files[first:]
    regions: dict[str, RegionPrices] = {}
    for file in used:
        for name, region in file.regions().items():
            regions[name] = _both(regions.get(name, RegionPrices()), region)
    vertex = [file.vertex for file in used]
    return PriceList(
        as_of=max(file.as_of for file in used),
        currency=used[-1].currency,
        run_fee=_last([one.pipeline_run for one in vertex], None),
        increment=_last([one.increment for one in vertex], PriceList.increment),
        typical_step=_last([one.typical_step for one in vertex], PriceList.typical_step),
        typical_local_step=_last([file.local.typical_step for file in used], PriceList.typical_local_step),
        regions=regions,
        tokens={name: TokenPrice(one.input, one.output) for file in used for name, one in file.tokens.models.items()},
    )


def _both(below: RegionPrices, above: RegionPrices) -> RegionPrices:
    machines: Mapping[str, MachinePrice] = {**below.machines, **above.machines}
    return RegionPrices(machines, {**below.accelerators, **above.accelerators})


def _last(values: Sequence[Any], default: Any) -> Any:
    return next((value for value in reversed(values) if value is not None), default)

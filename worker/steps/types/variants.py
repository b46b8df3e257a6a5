"""Prepare the variants of an experiment: given one by one, as a grid, drawn from a space, or all of these."""

from math import prod
from typing import Any

from pydantic import Field

from worker.bee import Value
from worker.errors import Rejected
from worker.steps.frozen import bee_of, seed_of
from worker.steps.kinds import DATASET
from worker.steps.step import StepContext, StepType
from worker.steps.variants import MAX_VARIANTS, distinct, given, grid


class VariantsConfig(Value):
    """What to compare.

    Attributes:
        variants: each an object with a `name` and its settings.
        grid: setting -> its values; every combination is a variant.
        auto: how many to draw from the trainer's declared space, by the run's seed.
    """

    variants: list[Any] = Field(default_factory=list)
    grid: dict[str, Any] = Field(default_factory=dict)
    auto: int = Field(default=0, ge=0, le=MAX_VARIANTS)


def prepare(context: StepContext) -> dict[str, Any]:
    """Return `variants`: each `{name, settings}`.

    Raises:
        Rejected: none, one without a name of its own, or too many.
    """
    from worker.steps.trainers.port import trainer_of

    bee, config = bee_of(context), context.config
    trainer = trainer_of(bee)
    named = _named(config)
    if config.auto:
        from worker.steps.trainers.search import drawn

        found = drawn(trainer.space(bee), config.auto, seed_of(context.run))
        named += [(f"auto-{n} {item.get('algorithm', '')}".strip(), item) for n, item in enumerate(found, 1)]
    return {
        "variants": [{"name": name, "settings": trainer.normal(bee, settings)} for name, settings in distinct(named)]
    }


def check(config: VariantsConfig) -> None:
    """Check what a trigger gives: each variant's shape and name, and how many there will be.

    Raises:
        Rejected: as `prepare` would, with the place in the config.
    """
    _named(config)


def _named(config: VariantsConfig) -> list[tuple[str, dict[str, Any]]]:
    """Return name and settings of the variants that are not drawn. Raises Rejected."""
    named = given(config.variants)
    if config.grid:
        combinations = prod(len(values) for values in config.grid.values() if isinstance(values, list))
        # Not even made where they are millions.
        _check_count(len(named) + combinations + config.auto, "grid")
        named += list(grid(config.grid))
    _check_count(len(named) + config.auto, "variants")
    return named


def _check_count(count: int, field: str) -> None:
    if not 1 <= count <= MAX_VARIANTS:
        mend = f"give at most {MAX_VARIANTS}" if count else "give variants, a grid, or auto: how many to draw"
        raise Rejected(f"there are {count:,} variants", field=field, mend=mend)


STEP = StepType(
    name="variants",
    config=VariantsConfig,
    inputs={"train": DATASET},
    outputs={},
    body=prepare,
    values={"variants": "list[object]"},
    check=check,
)

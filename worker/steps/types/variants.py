"""Prepare the variants of an experiment: given one by one, as a grid, drawn from a space, or all of these."""

from typing import Any

from pydantic import Field

from worker.bee import Value
from worker.errors import Rejected
from worker.steps.files import describe, write_json
from worker.steps.frozen import bee_of, seed_of
from worker.steps.kinds import ARTIFACT, DATASET
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


def prepare(context: StepContext) -> None:
    """Write `{variants: [{name, settings}]}`.

    Raises:
        Rejected: none, one without a name of its own, or too many.
    """
    from worker.steps.trainers.port import trainer_of

    bee, config = bee_of(context), context.config
    trainer = trainer_of(bee)
    named = given(config.variants)
    if config.grid:
        named += list(grid(config.grid))
    if config.auto:
        from worker.steps.trainers.search import drawn

        found = drawn(trainer.space(bee), config.auto, seed_of(context.run))
        named += [(f"auto-{n} {item.get('algorithm', '')}".strip(), item) for n, item in enumerate(found, 1)]
    if not 1 <= len(named) <= MAX_VARIANTS:
        mend = "give variants, a grid, or auto: how many to draw" if not named else f"give at most {MAX_VARIANTS}"
        raise Rejected(f"there are {len(named)} variants", field="parameters.variants", mend=mend)
    variants = [{"name": name, "settings": trainer.normal(bee, settings)} for name, settings in distinct(named)]
    write_json(context.outputs["variants"], {"variants": variants})
    describe(context.outputs["variants"], {"variants": [item["name"] for item in variants]})


STEP = StepType(
    name="variants",
    config=VariantsConfig,
    inputs={"train": DATASET},
    outputs={"variants": ARTIFACT},
    body=prepare,
)

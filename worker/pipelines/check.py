"""Checks of a template's steps against each other and their types: ids, config, wiring, order; pure."""

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pydantic import ValidationError

from worker.errors import Rejected
from worker.pipelines.flow import Flow
from worker.pipelines.possible import impossible
from worker.pipelines.shape import StepShape
from worker.steps.kinds import item_kind, list_of
from worker.steps.placeholders import has_item, resolve
from worker.steps.step import StepType

Path = tuple[str | int, ...]
Fault = tuple[Path, str]
Wiring = dict[str, tuple[str, str]]
#: Parameters that a trigger adds to every run.
_GIVEN = ("beeId",)


class Checker:
    """Collects the faults of one template's steps."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        """Take the template's parameters with their defaults (None: given at the trigger)."""
        self._parameters = {**dict.fromkeys(_GIVEN), **parameters}

    def check(
        self, steps: Sequence[StepShape], types: Mapping[int, StepType], flows: Sequence[Flow]
    ) -> tuple[list[Wiring], list[int], list[Fault]]:
        """Return each step's wiring, the order to run them in, and all faults.

        Args:
            steps: in the template's order.
            types: their types by number; one that is not known is missing, and its own fault already.
            flows: their conditions and loops.
        """
        faults = [*self._ids(steps)]
        wiring: list[Wiring] = []
        for number, step in enumerate(steps):
            wires: Wiring = {}
            if number in types:
                faults += self._config(number, step, types[number])
                faults += self._wire(number, steps, types, wires)
            wiring.append(wires)
        needs = _needs(steps, wiring, flows)
        order, cycle = self._order(steps, needs)
        if not faults and not cycle:
            never = impossible(order, [step.id for step in steps], needs, flows)
            faults += [
                (("steps", number, "when" if flows[number].when else "id"), why) for number, why in never.items()
            ]
        return wiring, order, faults + cycle

    def _ids(self, steps: Sequence[StepShape]) -> Iterator[Fault]:
        seen: dict[str, str] = {}
        ids = [step.id for step in steps]
        for number, step in enumerate(steps):
            plain = step.id.replace("_", "-")
            if plain in seen:
                yield (
                    ("steps", number, "id"),
                    f"{step.id!r} is taken by an earlier step (`_` and `-` count as the same); give it another",
                )
            seen[plain] = step.id
            for place, name in enumerate(step.after):
                if name not in ids:
                    yield ("steps", number, "after", place), f"there is no step {name!r}; there are {', '.join(ids)}"

    def _config(self, number: int, step: StepShape, type_: StepType) -> Iterator[Fault]:
        at: Path = ("steps", number, "config")
        nulls = list(_nulls(step.config, at))
        yield from ((path, "is empty; leave it out instead") for path in nulls)
        known = isinstance(step.foreach, list)
        told: set[tuple[Path, str]] = set()
        for item in step.foreach if isinstance(step.foreach, list) else [_Unknown()]:
            for path, text in self._tried(step, type_, {} if step.foreach is None else {"item": item}, known=known):
                if (*at, *path) not in nulls and (path, text) not in told:
                    told.add((path, text))
                    yield (*at, *path), text

    def _tried(self, step: StepShape, type_: StepType, item: Mapping[str, Any], *, known: bool) -> Iterator[Fault]:
        """Yield what a step's config would be refused for, with one of its items."""
        try:
            type_.config.model_validate(resolve(step.config, self._parameters, **item))
        except Rejected as error:
            if "${item" not in f"${{{error.field}}}" or step.foreach is not None:
                yield _place(step.config, error.field), str(error)
        except ValidationError as error:
            for fault in error.errors():
                named = fault["type"] == "extra_forbidden"
                if named or not self._open(step.config, fault["loc"], item_known=known):
                    yield fault["loc"], _config_fault(fault, type_)

    def _open(self, config: Any, path: Path, *, item_known: bool) -> bool:
        """Whether a value depends on a parameter, or an item, that is only known when the pipeline is triggered."""
        for part in path:
            if not isinstance(config, dict | list):
                break
            known = dict(enumerate(config)) if isinstance(config, list) else config
            if part in known:
                config = known[part]
        if has_item(config) and not item_known:
            return True
        missing = [name for name, default in self._parameters.items() if default is None]
        return any(f"${{parameters.{name}}}" in str(config) for name in missing)

    def _wire(
        self, number: int, steps: Sequence[StepShape], types: Mapping[int, StepType], wires: Wiring
    ) -> Iterator[Fault]:
        step, type_ = steps[number], types[number]
        by_id = {other.id: place for place, other in enumerate(steps)}
        for name in step.inputs:
            if name not in type_.inputs:
                known = ", ".join(type_.inputs) or "nothing"
                yield ("steps", number, "inputs", name), f"{type_.name!r} takes no {name!r}; it takes {known}"
        for name, kind in type_.inputs.items():
            at: Path = ("steps", number, "inputs", name)
            if name in step.inputs:
                giver, _, output = step.inputs[name].partition(".")
                place = by_id.get(giver)
            else:
                place = next((p for p in reversed(range(number)) if p in types and name in types[p].outputs), None)
                output = name
            if place is not None and place not in types:
                continue  # an unknown type is its own fault
            if place is not None and output in types[place].outputs:
                wires[name] = (steps[place].id, output)
                if fault := _kind_fault(kind, types[place].outputs[output], steps[place], output):
                    yield at, fault
            elif name in step.inputs:
                known = ", ".join(f"{giver}.{one}" for one in types[place].outputs) if place is not None else ""
                mend = f"{giver!r} gives {known or 'nothing'}" if place is not None else "write it as step.output"
                yield at, f"{step.inputs[name]!r} is no output of a step; {mend}"
            elif len(types) == len(steps):
                mend = f"put a step before it that gives one, or name it: `inputs: {{{name}: STEP.OUTPUT}}`"
                yield ("steps", number), f"{type_.name!r} needs {name!r}, which no earlier step gives; {mend}"

    def _order(self, steps: Sequence[StepShape], needs: Mapping[int, Sequence[int]]) -> tuple[list[int], list[Fault]]:
        try:
            return list(TopologicalSorter(needs).static_order()), []
        except CycleError as error:
            circle = " → ".join(steps[number].id for number in error.args[1])
            text = f"steps wait for each other: {circle}; one of them must not refer to the next"
            return [], [(("steps", min(error.args[1])), text)]


class _Unknown(dict[str, Any]):
    """An item that is not known yet: it has every field."""

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> Any:
        return self


def _needs(steps: Sequence[StepShape], wiring: Sequence[Wiring], flows: Sequence[Flow]) -> dict[int, list[int]]:
    """Return step -> the steps that it waits for: by data, by a value that decides whether it runs, or by `after`."""
    by_id = {step.id: number for number, step in enumerate(steps)}
    return {
        number: [
            by_id[name]
            for name in (*step.after, *(giver for giver, _ in wiring[number].values()), *flows[number].needs)
            if name in by_id
        ]
        for number, step in enumerate(steps)
    }


def _kind_fault(kind: str, given: str, giver: StepShape, output: str) -> str | None:
    """Return why an input does not take an output, None if it does."""
    wanted = item_kind(kind)
    if wanted is None and giver.foreach is not None:
        return (
            f"takes one {kind}, but {giver.id!r} runs for each item and gives many; use a step type that takes a "
            f"{list_of(kind)}"
        )
    if (wanted or kind) != given:
        return f"takes a {kind}, but {output!r} of {giver.id!r} is a {given}"
    if wanted is not None and giver.foreach is None:
        return f"takes what many runs of a step gave, but {giver.id!r} runs once; give {giver.id!r} `foreach`"
    if wanted is not None and giver.when is not None:
        return (
            f"takes a list of what {giver.id!r} gave, which would have gaps, for it has `when` as well; leave items "
            "out of the list instead"
        )
    return None


def _config_fault(fault: Any, type_: StepType) -> str:
    known = sorted(one.alias or name for name, one in type_.config.model_fields.items())
    if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1:
        return (
            f"is no setting of the step type {type_.name!r}, which has {', '.join(known) or 'none'}; correct its name"
        )
    said = str(fault["msg"]).removeprefix("Value error, ")
    return f"{said} (step type {type_.name!r})"


def _place(value: Any, name: str) -> Path:
    """Return where in a step's config a parameter is referred to first."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if f"${{{name}}}" in str(item):
            return (key, *_place(item, name))
    return ()


def _nulls(value: Any, path: Path) -> Iterator[Path]:
    if value is None:
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _nulls(item, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _nulls(item, (*path, place))

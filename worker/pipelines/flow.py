"""What `when` and `foreach` of a template's steps stand for, and the checks of both; pure."""

import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from worker.errors import Rejected
from worker.pipelines.condition import Node, check_kinds, parse_condition, references
from worker.pipelines.parameters import GIVEN, Parameter
from worker.pipelines.shape import StepShape
from worker.steps.placeholders import is_placeholder
from worker.steps.step import StepType
from worker.steps.values import Fault, ValueType, parse_type, texts, type_of

#: The one parameter of a compiled pipeline that is not the template's own.
RUN = "run"
_KINDS = {"string": "text", "integer": "number", "number": "number", "boolean": "boolean"}
_WHOLE = re.compile(r"\s*\$\{([^{}]*)\}\s*")
_PARAMETER = re.compile(r"parameters\.([A-Za-z_][A-Za-z0-9_]*)")
_VALUE = re.compile(r"steps\.([a-z][a-z0-9_-]*)\.outputs\.([A-Za-z_][A-Za-z0-9_]*)")
_ITEM = re.compile(r"item(?:\.([^.]+))?")
#: What is meant as a reference in a setting, right or wrong; a text may hold other `${…}`.
_MEANT = re.compile(r"\$\{\s*(?:param\w*|items?)\b[^{}]*\}?")


@dataclass(frozen=True)
class Source:
    """What a `${…}` stands for.

    Attributes:
        of: a parameter of the template, a value that a step gives, or the item of the step's own `foreach`.
        name: the parameter's, the value's, or the item's field ("" for the item itself).
        step: the id of the step that gives the value.
    """

    of: Literal["parameter", "value", "item"]
    name: str
    type: ValueType
    step: str = ""


@dataclass(frozen=True)
class When:
    """A step's condition; `sources` are what it refers to, by what stands between the braces, in order."""

    text: str
    condition: Node
    sources: Mapping[str, Source]

    def __str__(self) -> str:
        """Return the condition as the template has it, on one line."""
        return " ".join(self.text.split())


@dataclass(frozen=True)
class Foreach:
    """What a step runs for each of.

    Attributes:
        text: as the template has it.
        item: the type of each.
        source: where the list is from; None for one that the template writes down as `items`.
        parallelism: how many runs at the same time at most; None for as many as the engine starts.
    """

    text: str
    item: ValueType
    source: Source | None = None
    items: tuple[Any, ...] = ()
    parallelism: int | None = None

    def __str__(self) -> str:
        """Return the list as the template has it."""
        return self.text


@dataclass(frozen=True)
class Flow:
    """How often a step runs."""

    when: When | None = None
    foreach: Foreach | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """The ids of the steps whose values decide it."""
        sources = [*(self.when.sources.values() if self.when else ()), self.foreach.source if self.foreach else None]
        return tuple(dict.fromkeys(source.step for source in sources if source and source.of == "value"))


@dataclass
class Flows:
    """Reads the flow of each step of a template, and collects what is wrong with it."""

    steps: Sequence[StepShape]
    types: Mapping[int, StepType]
    parameters: Mapping[str, Parameter]
    faults: list[Fault] = field(default_factory=list)

    def of(self, number: int) -> Flow:
        """Return a step's flow; what is wrong is left out of it, and noted."""
        step = self.steps[number]
        foreach = self._said(("steps", number, "foreach"), step.foreach, number)
        if step.parallelism is not None and step.foreach is None:
            self.faults.append((("steps", number, "parallelism"), "goes with `foreach`; take it out"))
        when = None
        if step.when is not None and (step.foreach is None or foreach is not None):
            try:
                when = self._when(step.when, number, foreach.item if foreach else None)
            except Rejected as error:
                self.faults.append((("steps", number, "when"), _words(error)))
        self.faults += self._config(number)
        if step.foreach is not None and number in self.types and self.types[number].deploys:
            text = "hands one model over, so that it runs once; take `foreach` out"
            self.faults.append((("steps", number, "foreach"), text))
        return Flow(when, foreach)

    def _said(self, at: tuple[str | int, ...], given: str | list[Any] | None, number: int) -> Foreach | None:
        if given is None:
            return None
        try:
            return self._foreach(given, number)
        except Rejected as error:
            self.faults.append((at, _words(error)))
            return None

    def _foreach(self, given: str | list[Any], number: int) -> Foreach:
        parallelism = self.steps[number].parallelism
        if isinstance(given, list):
            return Foreach(_listed(given), _item_type(given), None, tuple(given), parallelism)
        whole = _WHOLE.fullmatch(given)
        if not whole:
            mend = "write ${parameters.NAME}, ${steps.ID.outputs.NAME}, or the list itself"
            raise Rejected(f"{given!r} is no list", mend=mend)
        source = self._source(whole[1].strip(), number, None)
        if source.type.word != "list":
            raise Rejected(f"{given} is {source.type.called}, not a list", mend="refer to a list")
        item = source.type.items
        if item is None or item.word in ("any", "list"):
            mend = (
                f"declare it: {source.name}: {{type: list, items: object}}"
                if source.of == "parameter"
                else f"declare it in the step type: values={{{source.name!r}: 'list[object]'}}"
            )
            raise Rejected(f"it is not known what the items of {given} are", mend=mend)
        return Foreach(given.strip(), item, source, (), parallelism)

    def _when(self, text: str, number: int, item: ValueType | None) -> When:
        condition = parse_condition(text)
        sources = {name: self._source(name, number, item) for name in dict.fromkeys(references(condition))}

        def kind(name: str) -> str:
            word = sources[name].type.word
            if word not in _KINDS:
                raise Rejected(f"${{{name}}} is {sources[name].type.called}", mend="compare texts, numbers, booleans")
            return _KINDS[word]

        check_kinds(condition, kind)
        return When(text, condition, sources)

    def _source(self, name: str, number: int, item: ValueType | None) -> Source:
        """Return what a reference stands for. Raises Rejected."""
        if found := _PARAMETER.fullmatch(name):
            return self._parameter(found[1])
        if found := _VALUE.fullmatch(name):
            return self._value(found[1], found[2], number)
        if found := _ITEM.fullmatch(name):
            return _of_item(found[1] or "", item)
        mend = "there are ${parameters.NAME}, ${steps.ID.outputs.NAME}, and with `foreach` ${item} and ${item.FIELD}"
        raise Rejected(f"${{{name}}} stands for nothing", mend=mend)

    def _parameter(self, name: str) -> Source:
        if name in GIVEN:
            return Source("parameter", name, ValueType("string"))
        if name not in self.parameters:
            known = ", ".join([*self.parameters, *GIVEN])
            raise Rejected(f"there is no parameter {name!r}", mend=f"there are {known}")
        parameter = self.parameters[name]
        if name == RUN or keyword.iskeyword(name):
            raise Rejected(f"the name {name!r} is taken in a compiled pipeline", mend="give the parameter another name")
        if parameter.type == "any":
            mend = f"declare it: {name}: {{type: boolean}}"
            raise Rejected(f"it is not known what the parameter {name!r} is", mend=mend)
        if parameter.default is None and not parameter.required:
            mend = "give it a default, or leave the default out so that every trigger must give it"
            raise Rejected(f"the parameter {name!r} may be null", mend=mend)
        return Source("parameter", name, parameter.shape)

    def _value(self, id_: str, name: str, number: int) -> Source:
        place = next((place for place, step in enumerate(self.steps) if step.id == id_), None)
        if place is None:
            raise Rejected(f"there is no step {id_!r}", mend=f"there are {', '.join(step.id for step in self.steps)}")
        if place == number:
            raise Rejected(f"{id_!r} is this step itself", mend="refer to an earlier step")
        if place not in self.types:
            raise Rejected(f"it is not known what {id_!r} gives", mend="correct its type")
        type_ = self.types[place]
        if name not in type_.values:
            known = ", ".join(type_.values) or "no values"
            raise Rejected(f"{id_!r} gives no value {name!r}", mend=f"its type {type_.name!r} gives {known}")
        if self.steps[place].foreach is not None:
            mend = "refer to a step that runs once"
            raise Rejected(f"{id_!r} runs for each item, so that it gives many {name!r}", mend=mend)
        return Source("value", name, parse_type(type_.values[name], ())[0], id_)

    def _config(self, number: int) -> Iterator[Fault]:
        """Yield what a step's settings refer to that only `when` and `foreach` can."""
        for path, text in texts(self.steps[number].config, ("steps", number, "config")):
            if "${steps." in text:
                yield path, f"{text!r}: a setting cannot refer to a step; only `when` and `foreach` can"
            if "${item" in text and self.steps[number].foreach is None:
                yield path, f"{text!r}: there is no item; give the step `foreach`"
            for meant in _MEANT.finditer(text):
                if not is_placeholder(meant[0]):
                    mend = "write ${parameters.NAME}, or with `foreach` ${item} or ${item.FIELD}"
                    yield path, f"{meant[0]} stands for nothing; {mend}"


def _of_item(name: str, item: ValueType | None) -> Source:
    if item is None:
        raise Rejected("there is no item", mend="give the step `foreach`")
    if not name:
        return Source("item", "", item)
    if item.word != "object":
        raise Rejected(f"the item is {item.called} and has no field {name!r}", mend="write ${item}")
    if name not in item.fields:
        mend = f"declare it with the list: items: {{type: object, fields: {{{name}: boolean}}}}"
        raise Rejected(f"it is not known what the item's {name!r} is", mend=mend)
    return Source("item", name, item.fields[name])


def _item_type(items: list[Any]) -> ValueType:
    if not items:
        raise Rejected("the list is empty", mend="name at least one item")
    if any("${" in text for _, text in texts(items)):
        raise Rejected("a list that is written down refers to nothing", mend="use ${item} in the step's config")
    item = type_of(items).items
    if item is None or item.word in ("any", "list"):
        raise Rejected("the items are not of one type", mend="make all of them texts, numbers, booleans or objects")
    return item


def _listed(items: list[Any]) -> str:
    return f"[{', '.join(str(item) for item in items)}]"


def _words(error: Rejected) -> str:
    return f"{error.reason}; {error.mend}"

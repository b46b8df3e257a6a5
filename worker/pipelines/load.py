"""The templates of a configuration by name, each parsed when it is first asked for."""

from collections.abc import Iterator, Mapping

from worker.errors import Rejected
from worker.pipelines.extend import Extended, Path, TemplateFile, whole
from worker.pipelines.filled import check_filled
from worker.pipelines.template import Template, parse_template


class Templates(Mapping[str, Template]):
    """Template name → template; a faulty one raises Rejected when it is looked up, an unknown one KeyError."""

    def __init__(self, files: Mapping[str, TemplateFile], types: Mapping[str, str]) -> None:
        """Take the files by the templates' names, and the step types: word → module or file."""
        self._files = files
        self._types = types
        self._parsed: dict[str, Template] = {}

    def __getitem__(self, name: str) -> Template:
        """Return a template. Raises Rejected with every fault, each with its place."""
        if name not in self._parsed:
            found = whole(name, self._files)
            template = parse_template(found.content, at=found.at, types=self._types)
            if template.name != name:
                place = found.at(("name",))
                raise Rejected(f"{place}: it is called {template.name!r}; name the file so", field="template")
            _check_start(template, found)
            self._parsed[name] = template
        return self._parsed[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is such a template, faulty or not."""
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self._files)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._files)

    def at(self, name: str, path: Path) -> str:
        """Return where a part of a template stands: file, line and path. Raises Rejected if it cannot be read."""
        return whole(name, self._files).at(path)

    def get_known(self, name: str) -> Template:
        """Return a template. Raises Rejected with the names there are, or with the template's faults."""
        if name not in self._files:
            known = ", ".join(sorted(self._files))
            raise Rejected(f"there is no template {name!r}", field="pipeline", mend=f"one of: {known}")
        return self[name]


def _check_start(template: Template, found: Extended) -> None:
    """Check a template that nobody gives parameters by hand with those that it will have."""
    if template.trigger == "manual":
        return
    scheduled = template.schedule.parameters if template.schedule else {}
    try:
        check_filled(template, {"beeId": "", **scheduled})
    except Rejected as error:
        known = [part for part in error.field.split(".") if part != "pipeline"]
        place: Path = ("schedule", *known) if known and known[-1] in scheduled else tuple(known)
        raise Rejected(f"{found.at(place)}: {error.reason}", field="template") from error

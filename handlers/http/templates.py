"""Pipeline templates in the published form."""

from collections.abc import Mapping

from handlers.http.shapes import ParameterShown, TemplateList, TemplateShown, TemplateStepShown
from worker.errors import Rejected
from worker.pipelines.template import Step, Template


def shown_templates(templates: Mapping[str, Template]) -> TemplateList:
    """Return every template by name; a faulty one does not hide the others."""
    return TemplateList(templates=[_template(name, templates) for name in sorted(templates)])


def _template(name: str, templates: Mapping[str, Template]) -> TemplateShown:
    try:
        template = templates[name]
    except Rejected as error:
        return TemplateShown(name=name, error=str(error))
    return TemplateShown(
        name=name,
        version=template.version,
        description=template.description,
        trigger=template.trigger,
        parameters={
            parameter: ParameterShown(
                type=item.type, default=item.default, required=item.required, description=item.description
            )
            for parameter, item in template.declared.items()
        },
        steps=[_step(step) for step in template.steps],
    )


def _step(step: Step) -> TemplateStepShown:
    before = [*step.after, *(giver for giver, _ in step.inputs.values())]
    return TemplateStepShown(id=step.id, type=step.type.name, after=list(dict.fromkeys(before)))

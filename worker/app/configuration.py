"""The configuration in its layers, the shipped one below the user's; each part is read when first asked for."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import structlog

from config import schema
from config.settings import Settings
from worker.bee import BeeSpec
from worker.costs.prices import PriceList
from worker.decide.policy import Policy
from worker.errors import Rejected
from worker.features.port import Definition
from worker.monitor.feature_spec import FeatureGroup
from worker.pipelines.cache import load_compiled
from worker.pipelines.load import Templates
from worker.pipelines.template import Template
from worker.pipelines.types import StepTypes

log = structlog.get_logger()


class Configuration:
    """What an operator edits, as values. Every part raises Rejected with file, place and mend if it is faulty."""

    def __init__(self, settings: Settings) -> None:
        """Read nothing yet."""
        self._settings = settings

    @cached_property
    def directories(self) -> list[Path]:
        """The layers, the shipped one first."""
        return schema.layers(self._settings.config)

    @cached_property
    def bees(self) -> Mapping[str, BeeSpec]:
        """Every bee's spec."""
        return schema.load_bees(self.directories)

    @cached_property
    def policy(self) -> Policy:
        """The policy in force."""
        return schema.load_policy(self.directories, self.bees)

    def reload_policy(self) -> Policy:
        """Read the policy anew and let it be in force; a faulty one is refused, and the one in force stays."""
        self.policy = schema.load_policy(self.directories, self.bees)
        return self.policy

    @cached_property
    def prices(self) -> PriceList:
        """The price list."""
        return schema.load_prices(self.directories)

    @cached_property
    def step_types(self) -> StepTypes:
        """The step types: ours, those of `steps/` in the layers, and of installed packages."""
        return StepTypes(self.directories)

    @cached_property
    def templates(self) -> Templates:
        """Template name -> template; a faulty one says so when it is looked up."""
        return Templates(schema.load_templates(self.directories), self.step_types)

    def templates_with(self, path: Path) -> Templates:
        """Return the templates, and with them that of a file which need not be a part of the configuration."""
        return Templates(schema.load_templates(self.directories, path), self.step_types)

    @cached_property
    def scheduled(self) -> Sequence[Template]:
        """The templates that start themselves; a faulty one stops only itself: `doctor` and its runs say why."""
        found = []
        for name in self.templates:
            try:
                found.append(self.templates[name])
            except Rejected as error:
                log.warning("template is faulty", template=name, reason=str(error))
        return [template for template in found if template.trigger == "schedule"]

    @property
    def features(self) -> Mapping[str, Definition]:
        """The features that the configuration defines."""
        return schema.load_features(self.directories)

    @cached_property
    def feature_groups(self) -> Sequence[FeatureGroup]:
        """The features that are watched."""
        return schema.load_feature_groups(self.directories)

    def compiled(self, template: Template) -> Mapping[str, Any]:
        """Return a template's compiled spec. Raises Rejected if it is stale or missing."""
        settings = self._settings
        # Steps on Vertex AI know of the settings what their containers are told; the key itself stays out of a spec.
        told = {"COLONY_CHAT_URL": settings.chat_url, "COLONY_CHAT_KEY_SECRET": settings.chat_key_secret}
        environment = {name: value for name, value in told.items() if value}
        if settings.backend("engine", "vertex") != "local":
            environment |= settings.told_to_steps
        return load_compiled(template, self.directories, image=settings.image, environment=environment)

    def check_reachable(self, bee: BeeSpec) -> None:
        """Check that what the bee's trainer asks is configured. Raises Rejected."""
        if bee.task == "generation" and not self._settings.chat_url:
            mend = "set it to the base URL of an OpenAI-compatible server, for example http://localhost:8000/v1"
            reason = f"{bee.bee} generates text, but no chat endpoint is configured"
            raise Rejected(reason, field="COLONY_CHAT_URL", mend=mend)

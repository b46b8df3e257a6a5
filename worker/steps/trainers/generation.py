"""The trainer of bees that generate text: a "model" is a set of settings, tried on prompts at a chat endpoint."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from pydantic import ValidationError

from worker.bee import BeeSpec, Space
from worker.errors import Rejected
from worker.generation import Case, GenerationSettings
from worker.models.port import Scored
from worker.steps.tables import Rows
from worker.steps.trainers.answering import Answering, answered
from worker.steps.trainers.port import Job, Trained, Unlearnable, Wanted
from worker.steps.trainers.settings_file import read_settings, write_settings

CASE = "case"
_NESTED = ("settings", "hyperparameters", "parameters")


class GenerationModel:
    """Settings that can answer; `spent` sums what all answers so far have taken."""

    def __init__(self, settings: GenerationSettings, metadata: Mapping[str, Any], job: Job) -> None:
        self.settings = settings
        self.metadata = metadata
        self.spent: dict[str, float | None] = {}
        self.answers: list[dict[str, Any]] = []
        self._job = job

    def predict(self, columns: Mapping[str, Sequence[Any]]) -> list[Scored]:
        """Answer each case and score the answers, in order.

        Raises:
            Rejected: no endpoint, or it refuses.
            TryLater: the endpoint is away.
        """
        cases = [Case.model_validate(json.loads(text)) for text in columns[CASE]]
        bee = self._job.bee
        done = answered(cases, Answering(self.settings, bee.metric, bee.trainer), os.environ)
        self.answers = [item.told() for item in done.items]
        self.spent = done.spent
        return [Scored(item.answer.text, item.score) for item in done.items]


@dataclass(frozen=True)
class GenerationTrainer:
    """A variant's settings are `GenerationSettings` over the bee's own."""

    def space(self, bee: BeeSpec) -> Sequence[tuple[Mapping[str, Any], Space]]:
        """Return the declared space. Raises Rejected if there is none."""
        if not bee.trainer.space:
            raise Rejected("is missing", field="trainer.space", mend="declare what may be tried, or give variants")
        return [({}, bee.trainer.space)]

    def normal(self, bee: BeeSpec, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the bee's settings with those of the variant over them."""
        nested = [given[name] for name in _NESTED if isinstance(given.get(name), Mapping)]
        flat = {name: value for name, value in given.items() if name not in {"algorithm", *_NESTED}}
        return {name: value for part in (_defaults(bee), *nested, flat) for name, value in part.items()}

    def prepare(self, bee: BeeSpec, as_of: datetime) -> Rows | None:
        """Return the bee's prompts as rows, their tags as columns; they have no time of their own."""
        tags = sorted({name for case in bee.prompts for name in case.tags})
        columns: dict[str, list[Any]] = {name: [case.tags.get(name) for case in bee.prompts] for name in tags}
        columns[CASE] = [case.text() for case in bee.prompts]
        facts = {"types": dict.fromkeys(columns, "string"), "definitions": {}, "snapshotId": None}
        return Rows([case.key for case in bee.prompts], [as_of] * len(bee.prompts), columns, facts)

    def train(self, rows: Rows, wanted: Wanted, path: Path, job: Job) -> Trained | Unlearnable:
        """Write the wanted settings, or the best that a search of the declared space finds on these prompts.

        Raises:
            Rejected: settings that are none, or no endpoint.
            TryLater: the endpoint is away.
        """
        trainer, chosen = job.bee.trainer, dict(wanted.chosen)
        report: dict[str, Any] = {}
        settings, source = wanted.settings, wanted.source
        if settings is None and trainer.space:
            settings, report = _searched(rows, job)
            source = _joined(source, f"the best of {len(report['trials'])} tried")
            chosen = {"chosenOn": list(rows.entity_ids), "chosenAmong": len(report["trials"])}
        checked = parse_settings(_defaults(job.bee) if settings is None else settings)
        told = {
            "task": "generation",
            "features": [],
            "algorithm": "generation",
            "hyperparameters": checked.model_dump(by_alias=True),
            "hyperparametersFrom": source if settings else _joined(source, "the bee's own settings"),
            "trainedUntil": None,
            "snapshotId": None,
            **chosen,
        }
        return Trained(write_settings(checked, told, path), told, {"metric": job.bee.metric, **told, **report}, ())

    def load(self, path: Path, sha256: str, job: Job) -> GenerationModel:
        """Return the settings, their file's hash checked. Raises Rejected."""
        return GenerationModel(*read_settings(path, sha256), job)


def parse_settings(given: Mapping[str, Any]) -> GenerationSettings:
    """Return checked settings. Raises Rejected, naming each that is wrong."""
    try:
        return GenerationSettings.model_validate(dict(given))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        names = ", ".join(str(field.alias) for field in GenerationSettings.model_fields.values())
        raise Rejected(faults, field="settings", mend=f"there are {names}") from error


def _defaults(bee: BeeSpec) -> dict[str, Any]:
    if bee.trainer.settings is None:
        raise Rejected("is missing", field="trainer.settings", mend="name at least a model")
    return bee.trainer.settings.model_dump(by_alias=True, exclude_defaults=True)


def _searched(rows: Rows, job: Job) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the best settings of a search, and every trial with its value and its cost."""
    from worker.steps.trainers.search import searched

    trainer = job.bee.trainer
    trials: list[dict[str, Any]] = []
    for trial in searched(trainer.space, _defaults(job.bee), trainer.trials, job.seed):
        model = GenerationModel(parse_settings(trial.settings), {}, job)
        value = fmean(answer.score or 0.0 for answer in model.predict(rows.columns))
        trial.tell(value)
        trials.append({"settings": trial.settings, "value": value, "spent": model.spent})
    best = max(trials, key=lambda item: (item["value"], -_price(item["spent"])))
    return dict(best["settings"]), {"trials": trials}


def _joined(before: str, words: str) -> str:
    return f"{before}: {words}" if before else words


def _price(spent: Mapping[str, float | None]) -> float:
    """Return what makes one of two equals the cheaper: its price, or its tokens where no price is known."""
    return float(spent.get("usd") or spent.get("outputTokens") or 0.0)


TRAINER = GenerationTrainer()

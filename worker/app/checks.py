"""What `doctor` asks: each part's real call, by the part's name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from worker.app.chat_check import check_chat
from worker.app.configuration import Configuration
from worker.app.frozen import Frozen
from worker.bee import BeeSpec
from worker.checkup import Check, Doubt
from worker.errors import Rejected
from worker.publish.message import trial

#: What a part is called → its attribute of the app; each has `verify`.
PARTS = {
    "ledger": "ledger",
    "features": "features",
    "models": "artifacts",
    "engine": "engine",
    "events in": "subscription",
    "events out": "topic",
}


@dataclass(frozen=True)
class Checks:
    """Makes the checks; a check returns what it found in words (None: it works), or raises what is wrong.

    Attributes:
        part: opens one of `PARTS` inside its check, so that one which cannot be opened does not hide the others.
        environment: variables that name the chat endpoint.
        webhook: whether people are told by one.
    """

    configuration: Configuration
    frozen: Frozen
    part: Callable[[str], Any]
    environment: Mapping[str, str]
    webhook: bool = False

    def all(self) -> Mapping[str, Check]:
        """Return every check, the configuration's first."""
        found: dict[str, Check] = {"configuration": self._configured}
        found |= {name: partial(self._verified, attribute) for name, attribute in PARTS.items()}
        if self.webhook:
            found["webhook"] = lambda: str(self.part("hook").verify())
        try:
            templates, bees = self.configuration.templates, self.configuration.bees
        except Rejected:
            # What is wrong with it is told by the check of the configuration.
            return found
        found |= {f"template {name}": partial(self._spec, name) for name in templates}
        for name, bee in bees.items():
            found[f"bee {name}"] = partial(self._bee, bee)
            if bee.task == "generation":
                found[f"chat of {name}"] = partial(check_chat, bee, self.environment)
        return found

    def by_message(self) -> Check:
        """Return the check that sends people a message: only for whoever asks for it."""
        return self._sent

    def _sent(self) -> str:
        if not self.webhook:
            raise Rejected("is not set", field="COLONY_WEBHOOK", mend="set it to the URL that takes messages")
        self.part("hook").send(trial())
        return "a test message was taken"

    def _verified(self, attribute: str) -> None:
        self.part(attribute).verify()

    def _configured(self) -> str | Doubt:
        of = self.configuration
        policies = (of.policy, *of.policy.bees.values())
        watched = any(group.spec.every for group in of.feature_groups)
        if not watched and any(policy.features.hold or policy.features.trigger for policy in policies):
            reason = "the policy goes by findings of features, which nothing looks at by itself"
            return Doubt(reason, "add monitor: {every: 1d, features: all} to a file of config/features")
        prices = f"prices of {of.prices.as_of}"
        return f"{len(of.bees)} bees, {len(of.templates)} templates, policy {of.policy.version}, {prices}"

    def _spec(self, name: str) -> str:
        self.frozen.spec(name)
        return "compiled spec is fresh"

    def _bee(self, bee: BeeSpec) -> str:
        self.configuration.templates.get_known(bee.pipeline)
        self.frozen.definitions(bee)
        return f"{bee.mode}s by {bee.pipeline}, its features are defined"

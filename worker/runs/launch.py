"""Launch a PENDING run: freeze all that can change into its parameters, then submit; both can happen twice."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from worker.bee import BeeSpec
from worker.clock import to_text
from worker.engine.state import Status
from worker.errors import Conflict, Rejected, TryLater
from worker.ledger import Ledger, Transaction
from worker.runs.estimates import Typical, estimated, no_typical
from worker.runs.lifecycle import Run, billing_label, moved
from worker.runs.port import Lease, PipelineEngine, Submission


class Freezer(Protocol):
    """The configuration and the feature store, as launch reads them."""

    def bee(self, name: str) -> BeeSpec:
        """Return the bee's spec. Raises Rejected if it is gone."""
        ...

    def spec(self, template: str) -> Mapping[str, Any]:
        """Return the compiled PipelineSpec. Raises Rejected if the template is unknown or its spec is stale."""
        ...

    def template_parameters(self, template: str) -> Mapping[str, Any]:
        """Return the template's parameters with their defaults."""
        ...

    def definitions(self, bee: BeeSpec) -> Mapping[str, int]:
        """Return feature -> definition version for all that the bee reads."""
        ...

    def output_dir(self, run_id: str) -> str:
        """Return where the run's artifacts go."""
        ...

    @property
    def policy_version(self) -> str:
        """The hash of the policy in force."""
        ...

    @property
    def code_version(self) -> str:
        """The version of this program."""
        ...


@dataclass(frozen=True)
class Launcher:
    """Hands runs over to the engine.

    Attributes:
        typical: tells what a run will cost of which nothing is known.
    """

    ledger: Ledger
    engine: PipelineEngine
    freezer: Freezer
    typical: Typical = no_typical

    def launch(self, lease: Lease, now: datetime) -> None:
        """Launch the run under a lease, if it is still PENDING.

        Raises:
            LeaseLost: another process took the run over.
            TryLater: engine or ledger are away; launching again is safe.
        """
        run = self._frozen(lease)
        if run.cancel_requested:
            self._move(lease, Status.CANCELLED, now, "cancelled before it was launched")
            return
        try:
            self.engine.submit(self._submission(run))
        except (Rejected, Conflict) as error:
            self._move(lease, Status.FAILED, now, f"not accepted by the engine: {error}")
            return
        except TryLater as error:
            self._wait(lease, f"not launched yet: {error}")
            raise
        self._move(lease, Status.QUEUED, now, None)

    def _frozen(self, lease: Lease) -> Run:
        with self.ledger.begin() as transaction:
            run = transaction.runs.hold(lease)
            if run.frozen is None and not run.cancel_requested:
                try:
                    run = replace(run, frozen=freeze(run, transaction, self.freezer))
                    run = self._estimated(run, transaction)
                except Rejected as error:
                    run = replace(run, frozen={"refused": str(error)})
                transaction.runs.save(run)
            return run

    def _estimated(self, run: Run, transaction: Transaction) -> Run:
        """Return the run with what it will cost, which one that was decided on knows already."""
        if run.estimate is not None or run.estimate_basis:
            return run
        cost = estimated(BeeSpec.model_validate((run.frozen or {})["bee"]), run.template, transaction, self.typical)
        return replace(run, estimate=cost.amount, estimate_basis=cost.basis)

    def _submission(self, run: Run) -> Submission:
        frozen = run.frozen or {}
        if "refused" in frozen:
            raise Rejected(str(frozen["refused"]))
        spec = self.freezer.spec(run.template)
        return Submission(
            run_id=run.id,
            spec=spec,
            parameters=root_parameters(spec, frozen),
            output_dir=str(frozen["outputDir"]),
            labels={"installation": self.ledger.installation, "run": billing_label(run.id), "bee": run.bee},
        )

    def _move(self, lease: Lease, status: Status, now: datetime, error: str | None) -> None:
        with self.ledger.begin() as transaction:
            run = transaction.runs.hold(lease)
            if run.status is Status.PENDING:
                transaction.runs.save(moved(run, status, now, error=error))

    def _wait(self, lease: Lease, why: str) -> None:
        """Let everybody see what the run waits for."""
        with self.ledger.begin() as transaction:
            run = transaction.runs.hold(lease)
            if run.status is Status.PENDING and run.error != why:
                transaction.runs.save(replace(run, error=why))


def root_parameters(spec: Mapping[str, Any], frozen: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the compiled pipeline takes: `run`, and those parameters that conditions and loops refer to."""
    declared = spec.get("root", {}).get("inputDefinitions", {}).get("parameters", {})
    return {"run": frozen, **{name: frozen["parameters"].get(name) for name in declared if name != "run"}}


def freeze(run: Run, transaction: Transaction, freezer: Freezer) -> dict[str, Any]:
    """Return the run's frozen parameters: all that its steps will ever read of the configuration and the ledger.

    Raises:
        Rejected: the bee or a feature it reads is not there any more.
    """
    bee = freezer.bee(run.bee)
    return {
        "id": run.id,
        "template": run.template,
        "bee": bee.frozen(),
        "parameters": {**freezer.template_parameters(run.template), **run.parameters},
        "asOf": to_text(run.as_of),
        "seed": _seed(run),
        **_champion(run, transaction),
        "bestExperiment": _best_experiment(run, transaction),
        "definitions": dict(freezer.definitions(bee)),
        "policyVersion": freezer.policy_version,
        "codeVersion": freezer.code_version,
        "incident": run.incident_id,
        "attempt": run.attempt,
        "outputDir": freezer.output_dir(run.id),
    }


def _seed(run: Run) -> int:
    # The same request gives the same model on every installation, so the seed knows nothing of the run's id.
    text = f"{run.template}\n{run.bee}\n{to_text(run.as_of)}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % 2**31


def _best_experiment(run: Run, transaction: Transaction) -> dict[str, Any] | None:
    """Return the newest winner of an experiment with the bee that was not refused, None if there is none."""
    for version in reversed(transaction.models.versions(run.bee)):
        experiment = version.lineage.get("experiment")
        if experiment and version.state != "refused":
            kept = ("run", "variant", "algorithm", "hyperparameters", "chosenAmong", "chosenOn", "chosenUntil")
            return {"version": version.version, **{name: experiment[name] for name in kept if name in experiment}}
    return None


def _champion(run: Run, transaction: Transaction) -> dict[str, Any]:
    deployment = transaction.models.champion(run.bee)
    version = transaction.models.get(run.bee, deployment.version) if deployment else None
    if deployment is None or version is None:
        return {"champion": None, "newRowsSince": None}
    trained_until = version.lineage.get("trainedUntil")
    champion = {
        "version": version.version,
        "epoch": deployment.epoch,
        "uri": version.artifact.uri,
        "sha256": version.artifact.sha256,
        "trainedUntil": trained_until,
        "features": version.lineage.get("features"),
        "baseline": dict(version.metrics),
    }
    return {"champion": champion, "newRowsSince": version.lineage.get("asOf") or trained_until}

"""What is counted where: each of the system's parts tells these functions, which know the declared metrics."""

from collections.abc import Mapping
from dataclasses import dataclass

from worker.intake.receive import Received
from worker.ledger import Ledger
from worker.models.trials import TrialKind
from worker.publish.port import Outgoing
from worker.runs.lifecycle import Run
from worker.telemetry import Metrics


@dataclass(frozen=True)
class Instruments:
    """Turns what happened into points of declared metrics."""

    metrics: Metrics

    def received(self, item: Received) -> None:
        """Count a message by its verdict, and the decision that it led to."""
        self.metrics.count("colony_messages_total", verdict=item.verdict.value)
        action = (item.result or {}).get("action")
        if action:
            self.metrics.count("colony_decisions_total", action=str(action))

    def published(self, event: Outgoing) -> None:
        """Count an event that the bus confirmed."""
        self.metrics.count("colony_events_published_total", type=event.type)

    def settled(self, run: Run) -> None:
        """Count a run by its verdict."""
        verdict = run.verdict.value if run.verdict else "none"
        self.metrics.count("colony_runs_total", pipeline=run.template, verdict=verdict)
        if run.cost is None:
            self.metrics.count("colony_cost_unknown_runs_total", bee=run.bee, pipeline=run.template)
        else:
            self.metrics.count("colony_cost_total", run.cost, bee=run.bee, pipeline=run.template)

    def corrected(self, run: Run, before: float | None) -> None:
        """Count what a bill added to a run's cost, or took from it: a counter cannot fall."""
        more = (run.cost or 0.0) - (before or 0.0)
        name = "colony_cost_total" if more >= 0 else "colony_cost_refunded_total"
        self.metrics.count(name, abs(more), bee=run.bee, pipeline=run.template)

    def predicted(self, bee: str, version: str) -> None:
        """Count a prediction."""
        self.metrics.count("colony_predictions_total", bee=bee, version=version)

    def logged(self, bee: str, count: int) -> None:
        """Count predictions that are in the log."""
        self.metrics.count("colony_predictions_logged_total", count, bee=bee)

    def unlogged(self, bee: str, reason: str, count: int) -> None:
        """Count predictions that will never be there."""
        self.metrics.count("colony_predictions_unlogged_total", count, bee=bee, reason=reason)

    def shadowed(self, bee: str, version: str, count: int, *, failed: bool) -> None:
        """Count predictions beside the answer."""
        outcome = "failed" if failed else "scored"
        self.metrics.count("colony_shadow_predictions_total", count, bee=bee, version=version, outcome=outcome)

    def stood_in(self, bee: str, version: str, reason: str) -> None:
        """Count an answer of the champion instead of another live version's."""
        self.metrics.count("colony_predictions_stood_in_total", bee=bee, version=version, reason=reason)

    def failed(self, loop: str) -> None:
        """Count a loop's fault."""
        self.metrics.count("colony_loop_errors_total", loop=loop)

    def followed(self, behind_s: Mapping[str, float]) -> None:
        """Set how far online values are behind the stored ones, by entity."""
        for entity, seconds in behind_s.items():
            self.metrics.gauge("colony_features_lag_seconds", seconds, entity=entity)

    def look(self, ledger: Ledger) -> None:
        """Set the gauges that the ledger knows."""
        with ledger.begin(write=False) as transaction:
            active, waiting = transaction.runs.unsettled(), transaction.outbox.waiting()
            trials = transaction.trials.list(kind=TrialKind.ROLLOUT, active=True)
        self.metrics.gauge("colony_runs_active", active)
        self.metrics.gauge("colony_outbox_waiting", waiting)
        for state in ("running", "held"):
            self.metrics.gauge("colony_rollouts", sum(trial.state == state for trial in trials), state=state)

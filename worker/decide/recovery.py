"""Whether a model that is well by its own baseline is near to what the bee was before its incident as well; pure."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from worker.bee import BeeSpec
from worker.decide.evaluation import Evaluation, Metrics
from worker.decide.policy import Policy
from worker.decide.rules import Outcome, RuleResult, relative_drop
from worker.incidents.machine import Incident


def remembered(evaluation: Evaluation, bee: BeeSpec, policy: Policy, recorded: Metrics) -> Decimal | None:
    """Return the baseline that an incident remembers: that by which the evaluation which opens it was judged.

    None where the policy does not ask for recovery, where the evaluation says nothing of the bee's metric, and where
    there is no baseline or none that a relative drop is defined against (0).
    """
    if not policy.verify.recover or bee.metric not in evaluation.metrics:
        return None
    found = evaluation.baseline.get(bee.metric)
    found = recorded.get(bee.metric) if found is None else found
    return found if found is not None and found.is_finite() and found else None


def bar_of(incident: Incident, policy: Policy) -> Decimal | None:
    """Return what the bee's metric must come near to before the incident closes; None where nothing is asked for."""
    return incident.baseline if policy.verify.recover and policy.metric.max_drop is not None else None


def recovery_of(evaluation: Evaluation, bee: BeeSpec, policy: Policy, incident: Incident) -> RuleResult | None:
    """Return whether the bee's metric has recovered (clear), has not (fired) or is not known; None if nobody asks.

    Exact arithmetic on the numbers as the event spells them: a drop of exactly `maxDrop` has recovered.
    """
    bar, limit = bar_of(incident, policy), policy.metric.max_drop
    if bar is None or limit is None:
        return None
    name = bee.metric
    value = evaluation.metrics.get(name)
    inputs: dict[str, Any] = {"metric": name, "value": value, "baseline": bar, "threshold": limit}
    if value is None:
        why = f"{name} is undefined or missing: no evidence that it has recovered"
        return RuleResult("recovery", Outcome.UNDEFINED, inputs, why)
    drop = relative_drop(value, bar, lower_is_better=bee.lower_is_better)
    said = f"{name} {float(value):.4g} against {float(bar):.4g} when the incident opened"
    if drop <= Fraction(limit):
        return RuleResult("recovery", Outcome.CLEAR, inputs, f"recovered: {said}")
    better = incident.before is not None and _better(value, incident.before, bee)
    than = "better than before" if better else "well by its own baseline"
    return RuleResult("recovery", Outcome.FIRED, inputs, f"{than}, but not recovered: {said}")


def _better(value: Decimal, before: Decimal, bee: BeeSpec) -> bool:
    return value < before if bee.lower_is_better else value > before

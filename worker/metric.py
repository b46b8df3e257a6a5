"""Which way is better: the direction of the metrics that bees are judged by."""

from worker.errors import Rejected

#: Metrics that fall when a model improves; everything else known rises.
LOWER_IS_BETTER = frozenset(
    {
        "loss", "log_loss", "logloss", "cross_entropy", "perplexity", "brier", "brier_score",
        "error", "error_rate", "mae", "mse", "rmse", "rmsle", "mape", "smape", "medae",
        "latency", "latency_ms", "p50_latency_ms", "p95_latency_ms", "p99_latency_ms",
        "cost", "cost_usd", "toxicity", "hallucination_rate", "false_positive_rate", "false_negative_rate",
        "fpr", "fnr", "wer", "cer",
    }
)  # fmt: skip
HIGHER_IS_BETTER = frozenset(
    {
        "accuracy", "balanced_accuracy", "precision", "recall", "f1", "f1_macro", "f1_micro", "f1_weighted", "fbeta",
        "roc_auc", "auc", "pr_auc", "average_precision", "r2", "explained_variance", "mcc", "kappa", "specificity",
        "sensitivity", "ndcg", "map", "mrr", "bleu", "rouge", "rouge_l", "exact_match", "similarity", "engagement_rate",
        "satisfaction", "success_rate", "score", "quality", "safety_score",
        "pattern_match", "schema_valid", "within_limits", "judge_score",
    }
)  # fmt: skip


def lower_is_better(name: str, declared: str | None = None) -> bool:
    """Tell whether a smaller value of the metric is the better one.

    Args:
        name: the metric, as events and bees name it.
        declared: `lower` or `higher`, from the bee's `metricDirection`, for a metric of the user's own.

    Raises:
        Rejected: the direction is neither known nor declared.
    """
    if declared is not None:
        return declared == "lower"
    if name in LOWER_IS_BETTER:
        return True
    if name in HIGHER_IS_BETTER:
        return False
    raise Rejected(
        f"the direction of the metric {name!r} is not known",
        field="metric",
        mend="declare it in the bee's file: metricDirection: lower | higher",
    )

"""How predictions are logged, as the settings say it."""

from datetime import timedelta

from config.settings import Settings
from worker.serving.log import Rules

#: How long predictions wait for each other, here and where each write is a transaction behind a network.
_EVERY_S, _REMOTE_S = 1.0, 60.0


def logging_rules(settings: Settings, *, remote: bool) -> Rules:
    """Return the rules; `remote`: the feature store is behind a network."""
    return Rules(
        share=settings.predictions_logged,
        queue=settings.predictions_queue,
        keep=timedelta(days=settings.predictions_days) or None,
        every_s=settings.predictions_seconds or (_REMOTE_S if remote else _EVERY_S),
    )

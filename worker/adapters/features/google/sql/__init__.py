"""Every statement of the feature store, in BigQuery's dialect, rendered by pure functions."""

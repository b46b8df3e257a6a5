"""Predictions as they are served: which version answers, what is logged of each, and what the log tells later."""

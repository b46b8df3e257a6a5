"""Features that are computed from others: the expression language, its checks, and the one evaluator of all reads."""

"""A/B tests: versions side by side on live traffic, judged by outcomes that come in, at any time."""

"""Monitors: what a model in production does on the labels that have come in, and how its inputs have moved."""

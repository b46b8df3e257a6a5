"""Runs from PENDING to settled: launch, watch, settle; each loop can be killed at any line and started again."""

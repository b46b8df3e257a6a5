"""The report of an experiment: one HTML file that needs nothing else, readable in light and in dark."""

from worker.steps.report.page import rendered as rendered

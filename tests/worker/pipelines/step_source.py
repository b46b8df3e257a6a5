"""The step type `source`, as a module of its own."""

from tests.worker.pipelines.steps import SOURCE as STEP

__all__ = ["STEP"]

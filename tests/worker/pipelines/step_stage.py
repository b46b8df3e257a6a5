"""The step type `stage`, as a module of its own."""

from tests.worker.pipelines.steps import STAGE as STEP

__all__ = ["STEP"]

"""The step type `sink`, as a module of its own."""

from tests.worker.pipelines.steps import SINK as STEP

__all__ = ["STEP"]

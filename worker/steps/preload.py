"""Imports what step bodies need, so that a fork server pays for it once; it does nothing else."""

import numpy as np
import skops.io
from pyarrow import parquet

from worker.adapters.features import local as features
from worker.steps import __main__ as entry
from worker.steps import bootstrap, candidates, comparison, executor, fitting, scoring, split
from worker.steps.types import backfill, collect, deploy, evaluate, preprocess, register, score, train

PRELOADED = (
    np, parquet, skops.io, features, entry, bootstrap, candidates, comparison, executor, fitting, scoring, split,
    backfill, collect, deploy, evaluate, preprocess, register, score, train,
)  # fmt: skip

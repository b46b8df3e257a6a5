"""Imports what step bodies need, so that a fork server pays for it once; it does nothing else."""

import numpy as np
import skops.io
from pyarrow import parquet

from worker.adapters.features import local as features
from worker.steps import __main__ as entry
from worker.steps import (
    bootstrap,
    candidates,
    comparison,
    executor,
    fitting,
    report,
    scoring,
    split,
    standings,
)
from worker.steps.trainers import tabular
from worker.steps.types import (
    backfill,
    collect,
    compare,
    deploy,
    evaluate,
    preprocess,
    register,
    score,
    select,
    train,
    variant_training,
    variants,
)

PRELOADED = (
    np, parquet, skops.io, features, entry, bootstrap, candidates, comparison, executor, fitting, scoring, split,
    report, standings, tabular, backfill, collect, compare, deploy, evaluate, preprocess, register, score,
    select, train, variant_training, variants,
)  # fmt: skip

"""The step types: template word → module; adding one is a module here and its line in this table."""

STEPS: dict[str, str] = {
    "data_collection": "worker.steps.types.collect",
    "data_preprocessing": "worker.steps.types.preprocess",
    "training": "worker.steps.types.train",
    "evaluation": "worker.steps.types.evaluate",
    "registration": "worker.steps.types.register",
    "deployment": "worker.steps.types.deploy",
    "variants": "worker.steps.types.variants",
    "variant_training": "worker.steps.types.variant_training",
    "comparison": "worker.steps.types.compare",
    "selection": "worker.steps.types.select",
    "score": "worker.steps.types.score",
    "backfill": "worker.steps.types.backfill",
    "ab_test": "worker.steps.types.ab_test",
}

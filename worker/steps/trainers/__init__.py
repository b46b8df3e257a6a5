"""How challengers are made: a bee's `trainer.type` → module, whose `TRAINER` has the port's form."""

TRAINERS: dict[str, str] = {
    "tabular": "worker.steps.trainers.tabular",
    "generation": "worker.steps.trainers.generation",
}

"""The artifact kinds that steps exchange, by the names that KFP gives them."""

DATASET = "system.Dataset"
MODEL = "system.Model"
METRICS = "system.Metrics"
ARTIFACT = "system.Artifact"
HTML = "system.HTML"

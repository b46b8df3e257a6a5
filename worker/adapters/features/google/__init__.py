"""The feature store on Google Cloud: BigQuery for history and definitions, Feature Views for online reads."""

"""`colony model-server`: what the container of a Vertex endpoint runs."""

import click


@click.command("model-server")
def command() -> int:
    """Serve the model at AIP_STORAGE_URI (a folder, or gs://…) on AIP_HTTP_PORT, as Vertex AI asks it to.

    GET AIP_HEALTH_ROUTE (/health) answers 200 once the model is loaded; POST AIP_PREDICT_ROUTE (/predict) takes
    {"instances": [{"feature": value}]} and answers {"predictions": [{"prediction": …, "score": …}]} in the same order.
    The file must have the SHA-256 that COLONY_MODEL_SHA256 says, or its own name. Exits with 2 if it is not served.
    """
    from worker.model_server import main

    return main()

"""`colony predict`: a prediction by what is live."""

import json

import click

from worker.cli.common import opened
from worker.errors import NotFound, Rejected


@click.command("predict")
@click.option("--bee", required=True, help="Whose model.")
@click.option("--entity", help="Read this entity's features online; with --features nothing is read.")
@click.option("--features", "given", help='Or give them: {"spam_probability": 0.9, …}.')
def command(bee: str, entity: str | None, given: str | None) -> None:
    """Predict with what is live for the bee; prints {prediction, score, version, missing}.

    Several versions are live in a rollout or a test: which of them answers is told by the entity, and the champion does
    where none is named. A prediction for an entity is logged (COLONY_PREDICTIONS_LOGGED).
    """
    with opened() as app:
        if bee not in app.bees:
            raise NotFound(f"there is no bee {bee!r}; there are: {', '.join(sorted(app.bees))}")
        features = None if given is None else _parsed(given)
        answer = app.predictions.predict(app.bees[bee], app.clock(), entity_id=entity, features=features)
        click.echo(json.dumps(answer))


def _parsed(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Rejected(f"not JSON: {error}", field="--features", mend='write {"name": value, …}') from error
    if not isinstance(value, dict):
        raise Rejected("not an object", field="--features", mend='write {"name": value, …}')
    return value

"""What the data of all events is made of: fields in camelCase, times and hashes with their form."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta


class Data(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The data of an event. A field without a default is always there, null where there is nothing to say."""


Bee = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,62}$", description="The bee.", examples=["spam-guard"])]
Time = Annotated[
    str,
    Meta(description="RFC 3339, in UTC.", examples=["2002-10-01T00:00:00Z"], extra_json_schema={"format": "date-time"}),
]
Version = Annotated[str, Meta(description="A version of the bee's model.", examples=["2"])]
Reason = Annotated[str, Meta(description="Why, in words for a person.")]
RunId = Annotated[str, Meta(description="The run, as in `GET /api/mlops/pipeline/run/{runId}`.")]
IncidentId = Annotated[str, Meta(description="The incident, as in `GET /api/mlops/incidents/{id}`.")]
Attempt = Annotated[int, Meta(ge=1, description="Which attempt of the incident; 1 where there is none.")]
Metrics = Annotated[
    dict[str, float | None], Meta(description="Metric → value; null is undefined.", examples=[{"f1": 0.93}])
]
Gate = Annotated[
    dict[str, Any],
    Meta(description="The gate's numbers: metric, champion, challenger, difference, lower, upper, rows, positives, …"),
]
Cost = Annotated[dict[str, Any], Meta(description="What a run used, as its outcome says it: cpuSeconds, usd, …")]


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """A model's file, and the hash that it is checked by."""

    uri: str
    sha256: Annotated[str, Meta(min_length=1, description="SHA-256 of the file, in hexadecimal.")]

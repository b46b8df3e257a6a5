"""Reads a secret of Google's Secret Manager as the machine's own service account; for steps that run on Vertex AI.

A compiled pipeline is stored and shown, so that it must not have a secret in it: it has the secret's name.
"""

import base64
import re
from collections.abc import Mapping
from typing import Any

import httpx

from worker.errors import Rejected, TryLater

_NAME = re.compile(
    r"projects/[a-z0-9-]+(?:/locations/(?P<location>[a-z0-9-]+))?/secrets/[A-Za-z0-9_-]+/versions/[A-Za-z0-9_-]+"
)
#: Google's own variable for the host of the metadata server, and ours for another Secret Manager (a private endpoint).
_METADATA, _MANAGER = "GCE_METADATA_HOST", "COLONY_SECRET_MANAGER_URL"
_TOKEN = "computeMetadata/v1/instance/service-accounts/default/token"  # noqa: S105 - where one is asked for
_TIMEOUT_S = 10.0


def read_secret(name: str, environment: Mapping[str, str], *, field: str) -> str:
    """Return a secret's text.

    Args:
        name: `projects/P/secrets/S/versions/V` (`latest` is a version), or the same of a location.
        environment: variables that may name other servers.
        field: the setting that has the name, for messages.

    Raises:
        Rejected: no such name, no access, or a secret that is no text.
        TryLater: a server is away.
    """
    known = _NAME.fullmatch(name)
    if not known:
        mend = "write it as projects/my-project/secrets/chat-key/versions/latest"
        raise Rejected(f"{name!r} is no secret's name", field=field, mend=mend)
    host = environment.get(_METADATA) or "metadata.google.internal"
    token = _get(f"http://{host}/{_TOKEN}", {"Metadata-Flavor": "Google"}, "the metadata server", field)
    region = f".{known['location']}.rep" if known["location"] else ""
    manager = environment.get(_MANAGER) or f"https://secretmanager{region}.googleapis.com"
    headers = {"Authorization": f"Bearer {token.get('access_token', '')}"}
    found = _get(f"{manager.rstrip('/')}/v1/{name}:access", headers, "the Secret Manager", field)
    try:
        return base64.b64decode(found["payload"]["data"], validate=True).decode().strip()
    except (KeyError, TypeError, ValueError) as error:
        raise Rejected("the secret is no text", field=field, mend="store the key as text") from error


def _get(url: str, headers: Mapping[str, str], who: str, field: str) -> dict[str, Any]:
    try:
        response = httpx.get(url, headers=dict(headers), timeout=_TIMEOUT_S)
    except httpx.HTTPError as error:
        raise TryLater(f"{who} cannot be reached for {field}: {type(error).__name__}") from error
    code = response.status_code
    if code == 429 or code >= 500:
        raise TryLater(f"{who} answered {code} for {field}")
    if code != 200:
        mend = "name one that exists, and let the step's service account read it (roles/secretmanager.secretAccessor)"
        raise Rejected(f"{who} answered {code}", field=field, mend=mend)
    try:
        found = response.json()
    except ValueError as error:
        raise TryLater(f"{who} answered no JSON for {field}") from error
    return found if isinstance(found, dict) else {}

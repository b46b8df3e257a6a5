"""Who reads over HTTP, as usage counts it."""

from functools import lru_cache

from worker.access.token import Caller
from worker.features.port import Reader


@lru_cache(maxsize=1000)
def reader_of(caller: Caller, purpose: str) -> Reader:
    """Return the reader: `token:<id>` or `person:<address>`, and `http` where nobody is asked for a token."""
    if not caller.scopes or caller.name == "local":
        return Reader("http", purpose)
    kind = "person" if "@" in caller.name else "token"
    return Reader(f"{kind}:{caller.name}", purpose)

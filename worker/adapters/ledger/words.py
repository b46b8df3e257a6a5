"""A text column for words from outside (reasons, errors, logs): it takes any text on every database."""

from typing import Any

import sqlalchemy as sa


class Words(sa.types.TypeDecorator[str]):
    """Text whose NUL characters and half surrogates become `�` and `?`: PostgreSQL stores none, SQLite half of them."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the text as it is stored."""
        return None if value is None else value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()

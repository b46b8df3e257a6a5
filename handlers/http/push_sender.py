"""Who may push messages: Pub/Sub in the name of one service account, with tokens made for one audience."""

from typing import Protocol

from handlers.http.google_identity import GoogleTokens, verified_email
from worker.access.token import Caller, Scope

_JWT_DOTS = 2


class NotForUs(Exception):
    """A token that Google signed, made for somebody else or in another's name."""


class Sender(Protocol):
    """Tells who pushes."""

    def takes(self, credential: str) -> bool:
        """Tell whether a credential is of the kind that is judged here."""
        ...

    def caller(self, credential: str) -> Caller | None:
        """Return who pushes; None if the token counts for nothing. Raises NotForUs, TryLater."""
        ...


class PushSender:
    """Judges the tokens of push deliveries; thread-safe."""

    def __init__(self, audience: str, email: str, tokens: GoogleTokens | None = None) -> None:
        """`audience` and `email` as the subscription's push configuration has them."""
        self._audience = audience
        self._email = email.lower()
        self._tokens = tokens or GoogleTokens()

    def takes(self, credential: str) -> bool:
        """Tell whether a credential looks like an ID token; others are ours."""
        return credential.count(".") == _JWT_DOTS

    def caller(self, credential: str) -> Caller | None:
        """Return Pub/Sub as a caller who may write; None if the token is forged, broken or expired.

        Raises:
            NotForUs: another's audience or account, or an address that Google has not verified.
            TryLater: Google's certificates cannot be had.
        """
        claims = self._tokens.claims(credential)
        if claims is None:
            return None
        if claims.get("aud") != self._audience:
            raise NotForUs("the token was made for another audience")
        if verified_email(claims) != self._email:
            raise NotForUs("the token does not name the service account that pushes")
        return Caller(self._email, frozenset({Scope.WRITE}))

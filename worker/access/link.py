"""Signed links: whoever has one may answer one question, until it expires; pure."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

from worker.clock import from_us, to_us
from worker.errors import Rejected

PATH = "/api/mlops/answer"
MIN_SECRET = 32


@dataclass(frozen=True)
class SignedLinks:
    """Makes and checks links.

    Attributes:
        secret: the key of the signatures; empty: there are no links.
        base: the URL under which people reach the API, without a slash at its end.
        installation: part of what is signed, so that a link of one colony is none of another's.
    """

    secret: str
    base: str
    installation: str

    @property
    def possible(self) -> bool:
        """Whether links can be made: a secret is set."""
        return bool(self.secret)

    def url(self, question_id: str, expires: datetime) -> str:
        """Return the link to a question. Raises Rejected if no secret is set."""
        if not self.secret:
            mend = f"set it to a random text of at least {MIN_SECRET} characters, and COLONY_PUBLIC_URL"
            raise Rejected("is not set, so links cannot be signed", field="COLONY_LINK_SECRET", mend=mend)
        until = to_us(expires) // 1_000_000
        return f"{self.base}{PATH}/{question_id}?expires={until}&signature={self._sign(question_id, until)}"

    def check(self, question_id: str, expires: int, signature: str, now: datetime) -> str:
        """Return what is wrong with a link, in words; empty if it is good. `expires` is in seconds since 1970."""
        wanted = self._sign(question_id, expires)
        if not self.secret or not hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace")):
            return "this link is not one of ours"
        return "this link has expired" if now >= from_us(expires * 1_000_000) else ""

    def _sign(self, question_id: str, expires: int) -> str:
        text = f"{self.installation}\n{question_id}\n{expires}"
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()

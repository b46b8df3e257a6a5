"""From the text of a computation to its tree. Nothing is ever handed to Python's own evaluation."""

from functools import lru_cache

from worker.errors import Rejected
from worker.features.computed.nodes import Node
from worker.features.computed.place import FIELD

MAX_LENGTH = 4096


@lru_cache(maxsize=1024)
def parse(text: str) -> Node:
    """Return the tree of a computation.

    Raises:
        Rejected: too long, too deep, or not in the language, with the place and a caret.
    """
    if len(text) > MAX_LENGTH:
        mend = "split it into several computed features"
        raise Rejected(f"a computation has at most {MAX_LENGTH} characters, not {len(text)}", field=FIELD, mend=mend)
    if not text.strip():
        raise Rejected("the computation is empty", field=FIELD, mend="write it as sum(engagement) / account_age")
    # Most processes never read a computation, and lark takes longer to load than the rest of the command line.
    from worker.features.computed.syntax import read

    return read(text)

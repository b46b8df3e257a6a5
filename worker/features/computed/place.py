"""How a fault in a computation is told: the line it stands in, and a caret under the place."""

from worker.errors import Rejected

FIELD = "computation"
_AROUND = 60


def fault(text: str, at: int, what: str, mend: str = "") -> Rejected:
    """Return the error for a fault at a position of the text.

    Args:
        text: the whole computation.
        at: the index of the character, the length of the text for its end.
        what: what is wrong, in words that go on after the caret.
        mend: what to do about it.
    """
    before, after = text[:at], text[at:]
    line = before.count("\n") + 1
    left = before.rpartition("\n")[2]
    right = after.partition("\n")[0]
    where = f"column {len(left) + 1}" if "\n" not in text else f"line {line}, column {len(left) + 1}"
    start = f"…{left[-_AROUND:]}" if len(left) > _AROUND else left
    end = f"{right[:_AROUND]}…" if len(right) > _AROUND else right
    shown = "".join(letter if letter.isprintable() else " " for letter in start + end)
    return Rejected(f"at {where}\n    {shown}\n    {' ' * len(start)}^ {what}", field=FIELD, mend=mend)

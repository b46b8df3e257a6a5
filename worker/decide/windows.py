"""The newest distinct data windows of one version, each judged bad or well: small, since every event writes them."""

import msgspec

#: How many data windows of a version are remembered at most, whatever the policy asks for.
MAX_WINDOWS = 64
_ALL = (1 << MAX_WINDOWS) - 1


class Windows(msgspec.Struct, frozen=True, gc=False):
    """Data windows that had evidence.

    Attributes:
        keys: what tells one from another, oldest first.
        bad: one bit for each that is bad, the newest's the lowest.
        spent: one bit for each that has led to an action.
    """

    keys: tuple[str, ...] = ()
    bad: int = 0
    spent: int = 0

    def saw(self, key: str, *, bad: bool) -> "Windows":
        """Return them with one judged; the same again replaces what was concluded from it."""
        keys = self.keys
        if key not in keys:
            return Windows((*keys, key)[-MAX_WINDOWS:], (self.bad << 1 | bad) & _ALL, self.spent << 1 & _ALL)
        bit = self._bit(key)
        return Windows(keys, self.bad | bit if bad else self.bad & ~bit, self.spent)

    def acted(self) -> "Windows":
        """Return them after an action: they have had their effect."""
        return Windows(self.keys, self.bad, (1 << len(self.keys)) - 1)

    def has_acted(self, key: str) -> bool:
        """Tell whether a window has led to an action."""
        return key in self.keys and bool(self.spent & self._bit(key))

    def count(self, of: int) -> int:
        """Return how many of the newest `of` are bad and have not led to an action yet."""
        return (self.bad & ~self.spent & ((1 << of) - 1)).bit_count()

    def _bit(self, key: str) -> int:
        return 1 << (len(self.keys) - 1 - self.keys.index(key))

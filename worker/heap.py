"""How a long-lived process collects garbage: what is there after the start stays, and is not looked at again."""

import gc

#: A batch of events makes tens of thousands of short-lived values, none of them in a cycle.
_THRESHOLDS = (50_000, 10, 10)


def settle() -> None:
    """Call once when everything is built: a full collection then no longer walks over every loaded module."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)

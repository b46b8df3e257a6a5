import pytest

from handlers.http.rate import Buckets


class Watch:
    """A clock that a test moves, in seconds."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_so_many_a_minute() -> None:
    """A bucket gives its whole minute at once, then one after each part of it."""
    watch = Watch()
    buckets = Buckets(6, watch)

    assert [buckets.take("a") for _ in range(7)] == [0, 0, 0, 0, 0, 0, 10]
    watch.now = 9.5
    assert buckets.wait_s("a") == pytest.approx(0.5)
    watch.now = 10
    assert [buckets.take("a"), buckets.take("a")] == [0, 10]
    watch.now = 1000
    assert [buckets.take("a") for _ in range(7)] == [0, 0, 0, 0, 0, 0, 10]


def test_each_caller_has_its_own() -> None:
    """One caller's use takes nothing from another's."""
    buckets = Buckets(1, Watch())

    assert [buckets.take("a"), buckets.take("a") > 0, buckets.take("b")] == [0, True, 0]


def test_no_limit() -> None:
    """Zero lets everything through and remembers nobody."""
    buckets = Buckets(0, Watch())

    assert {buckets.take("a") for _ in range(100)} == {0}
    assert len(buckets) == 0


def test_memory_is_bounded() -> None:
    """However many callers there are, only so many are remembered, those seen last."""
    buckets = Buckets(1, Watch(), max_callers=10)
    for number in range(1000):
        buckets.take(str(number))

    assert len(buckets) == 10
    assert buckets.wait_s("999") > 0
    assert buckets.wait_s("0") == 0

from dataclasses import dataclass

from worker.adapters.engine.vertex_rates import Allowance


@dataclass
class Clock:
    """Seconds that a test counts."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_no_minute_has_more_calls_than_allowed() -> None:
    """Asked ten times a second for three minutes, no sixty seconds in a row see more than sixty calls."""
    clock = Clock()
    allowance = Allowance(60, clock=clock)
    taken = []
    for tenth in range(1800):
        clock.now = 1000 + tenth / 10
        if not allowance.take():
            taken.append(clock.now)

    assert max(sum(start <= at < start + 60 for at in taken) for start in taken) <= 60
    assert len(taken) >= 150


def test_some_may_come_at_once() -> None:
    """After a pause ten calls may be made at once, then it is told how long the next one has to wait."""
    clock = Clock()
    allowance = Allowance(60, clock=clock)

    waits = [allowance.take() for _ in range(11)]
    assert waits[:10] == [0.0] * 10
    assert 1.0 < waits[10] < 1.5

    clock.now += waits[10]
    assert allowance.take() == 0.0


def test_rests_grow_with_every_refusal() -> None:
    """Each refusal doubles the rest up to a minute; a call that is let through ends that."""
    clock = Clock()
    allowance = Allowance(60, clock=clock)
    rests = []
    for _ in range(7):
        allowance.refused()
        rests.append(allowance.take())
        clock.now += rests[-1]
    assert rests == [2, 4, 8, 16, 32, 60, 60]

    allowance.granted()
    allowance.refused()
    assert allowance.take() == 2


def test_an_allowance_of_one() -> None:
    """A share of one call a minute is one call a minute."""
    clock = Clock()
    allowance = Allowance(1, clock=clock)

    assert allowance.take() == 0.0
    assert allowance.take() > 0
    clock.now += 60
    assert allowance.take() == 0.0

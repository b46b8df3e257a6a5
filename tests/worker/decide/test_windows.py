from hypothesis import given
from hypothesis import strategies as st

from worker.decide.windows import MAX_WINDOWS, Windows

STEPS = st.lists(st.tuples(st.integers(0, 90), st.booleans(), st.sampled_from([True] + [False] * 20)), max_size=200)


@given(STEPS, st.integers(1, MAX_WINDOWS))
def test_as_a_list_of_windows(steps: list[tuple[int, bool, bool]], of: int) -> None:
    """The bits of the windows say what a plain list of them would, also beyond the number that is remembered."""
    windows, plain = Windows(), dict[str, tuple[bool, bool]]()
    for number, bad, acts in steps:
        key = f"w{number}"
        windows = windows.saw(key, bad=bad)
        plain[key] = (bad, plain.get(key, (bad, False))[1])
        for old in list(plain)[:-MAX_WINDOWS]:
            del plain[old]
        if acts:
            windows, plain = windows.acted(), {name: (found, True) for name, (found, _) in plain.items()}

    assert windows.keys == tuple(plain)
    assert windows.count(of) == sum(bad and not spent for bad, spent in list(plain.values())[-of:])
    assert all(windows.has_acted(f"w{number}") == plain.get(f"w{number}", (0, False))[1] for number in range(91))

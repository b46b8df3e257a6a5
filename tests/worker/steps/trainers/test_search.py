from worker.bee import Range
from worker.steps.trainers.search import drawn, searched

SPACE = {"rate": Range(low=0.01, high=1.0, log=True), "depth": Range(low=2, high=9), "weight": (None, "balanced")}


def test_draws_follow_from_the_seed() -> None:
    """The same seed draws the same settings, another seed others; each lies within its range."""
    first, again, other = (drawn([({"algorithm": "a"}, SPACE)], 6, seed) for seed in (3, 3, 4))

    assert first == again
    assert first != other
    for settings in first:
        assert 0.01 <= settings["rate"] <= 1.0
        assert settings["depth"] in range(2, 10)
        assert settings["weight"] in {None, "balanced"}


def test_branches_take_turns() -> None:
    """Each branch of a space is drawn from as often as the others."""
    settings = drawn([({"algorithm": "a"}, SPACE), ({"algorithm": "b"}, {"depth": Range(low=1, high=99)})], 6, 1)

    assert [item["algorithm"] for item in settings].count("a") == 3


def test_small_space_is_drawn_once_each() -> None:
    """A space with fewer settings than are wanted gives each of them once."""
    settings = drawn([({}, {"depth": (1, 2)})], 5, 1)

    assert sorted(item["depth"] for item in settings) == [1, 2]


def test_search_begins_with_what_is_in_force() -> None:
    """A search tries the given settings first, no settings twice, and the same ones by the same seed."""

    def run() -> list[dict[str, object]]:
        found = []
        for trial in searched({"depth": Range(low=1, high=50)}, {"depth": 7, "model": "m"}, 8, 5):
            found.append(trial.settings)
            trial.tell(-abs(float(str(trial.settings["depth"])) - 30))
        return found

    found = run()
    assert found[0] == {"depth": 7, "model": "m"}
    assert len(found) == len({item["depth"] for item in found}) == 8
    assert found == run()

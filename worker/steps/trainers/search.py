"""Settings out of a declared space with Optuna, by seed: drawn all at once, or each from what was seen before it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import optuna

from worker.bee import Range, Space

#: A branch of a search: fixed settings, and the space that goes with them.
Branch = tuple[Mapping[str, Any], Space]
_TRIES = 20

optuna.logging.set_verbosity(optuna.logging.WARNING)


def drawn(branches: Sequence[Branch], count: int, seed: int) -> list[dict[str, Any]]:
    """Return up to `count` different settings, branches taking turns; a small space may have fewer.

    Args:
        branches: each its fixed settings (an algorithm, say) with their space.
        count: how many are wanted.
        seed: the same seed draws the same.
    """
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    found: dict[str, dict[str, Any]] = {}
    for turn in range(count * _TRIES):
        if len(found) == count:
            break
        fixed, space = branches[turn % len(branches)]
        settings = {**fixed, **_suggest(study.ask(), space, str(turn % len(branches)))}
        found.setdefault(json.dumps(settings, sort_keys=True), settings)
    return list(found.values())


def searched(space: Space, first: Mapping[str, Any], count: int, seed: int) -> Iterator["Trial"]:
    """Yield up to `count` different settings, each after the value of those before it was told; `first` comes first."""
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=4))
    seen = {json.dumps(first, sort_keys=True)}
    yield Trial(dict(first), lambda _: None)
    for _ in range(count * _TRIES):
        if len(seen) >= count:
            return
        trial = study.ask()
        settings = {**first, **_suggest(trial, space, "")}
        key = json.dumps(settings, sort_keys=True)
        if key in seen:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        seen.add(key)
        yield Trial(settings, _teller(study, trial))


class Trial:
    """Settings to try; `tell` their value (more is better) before the next are asked for."""

    def __init__(self, settings: dict[str, Any], tell: Callable[[float], None]) -> None:
        self.settings = settings
        self.tell = tell


def _teller(study: optuna.Study, trial: optuna.Trial) -> Callable[[float], None]:
    def tell(value: float) -> None:
        study.tell(trial, value)

    return tell


def _suggest(trial: optuna.Trial, space: Space, branch: str) -> dict[str, Any]:
    """Return one value per setting; a setting's name carries its branch, since branches differ in their ranges."""
    found = {}
    for name, choices in space.items():
        label = f"{branch}.{name}"
        if not isinstance(choices, Range):
            # Optuna's categories are scalars: the place is what it draws, so that a value may be anything.
            found[name] = choices[trial.suggest_categorical(label, list(range(len(choices))))]
        elif isinstance(choices.low, int) and isinstance(choices.high, int):
            found[name] = trial.suggest_int(label, choices.low, choices.high, log=choices.log)
        else:
            # Six digits are enough to tell settings apart, and few enough to be read.
            found[name] = float(f"{trial.suggest_float(label, choices.low, choices.high, log=choices.log):.6g}")
    return found

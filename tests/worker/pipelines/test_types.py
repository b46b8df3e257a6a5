from pathlib import Path

import pytest

from worker.errors import Rejected
from worker.pipelines.types import StepTypes, load_type

OWN = '''
from worker.bee import Value
from worker.steps.step import StepContext, StepType
{more}

class Nothing(Value):
    """Nothing to set."""


def body(context: StepContext) -> None:
    """Do nothing."""


STEP = StepType("{name}", Nothing, {{}}, {{"{gives}": "system.Dataset"}}, body)
'''


def _write(directory: Path, file: str, *, name: str = "mine", gives: str = "rows", more: str = "") -> None:
    path = directory / "steps" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(OWN.format(name=name, gives=gives, more=more), encoding="utf-8")


def test_by_file(tmp_path: Path) -> None:
    """A file in `steps/` is the step type of its name, may import its neighbours, and a later layer's one counts."""
    first, second = tmp_path / "1", tmp_path / "2"
    _write(first, "mine.py")
    _write(second, "mine.py", gives="lines", more="from colony_steps._words import WORD")
    (second / "steps" / "_words.py").write_text("WORD = 1\n", encoding="utf-8")

    assert set(load_type("mine", StepTypes([first])).outputs) == {"rows"}
    both = StepTypes([first, second])
    assert set(load_type("mine", both).outputs) == {"lines"}
    assert load_type("mine", both).body.__module__ == "colony_steps.mine"
    assert "training" in both
    assert "_words" not in both


def test_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that an installed package names in the group `colony.steps` is a step type."""
    _write(tmp_path, "unused.py")
    (tmp_path / "steps" / "unused.py").rename(tmp_path / "their_step_module.py")
    metadata = tmp_path / "theirs-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text("[colony.steps]\nmine = their_step_module:STEP\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    types = StepTypes([])

    assert load_type("mine", types).body.__module__ == "their_step_module"
    assert "mine" in list(types)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("STEP = (", r"mine\.py cannot be imported: line 1: '\(' was never closed"),
        ("\n1 / 0", r"mine\.py cannot be imported: line 2: ZeroDivisionError"),
        ("import not_there", r"cannot be imported: line 1: ModuleNotFoundError: No module named 'not_there'"),
        ("", r"mine\.py declares no `STEP = StepType"),
        (OWN.format(name="other", gives="x", more=""), "declares the step type 'other', not 'mine'"),
    ],
)
def test_faults(tmp_path: Path, text: str, fault: str) -> None:
    """A file that cannot be used is told with its path, and with the line where there is one."""
    _write(tmp_path, "mine.py")
    (tmp_path / "steps" / "mine.py").write_text(text, encoding="utf-8")

    with pytest.raises(Rejected, match=fault):
        load_type("mine", StepTypes([tmp_path]))


def test_ours_cannot_be_replaced(tmp_path: Path) -> None:
    """A file named like a step type that ships is refused."""
    _write(tmp_path, "training.py", name="training")

    with pytest.raises(Rejected, match=r"training\.py: the step type 'training' exists already"):
        load_type("unknown", StepTypes([tmp_path]))


def test_unknown() -> None:
    """A word that nobody declares is refused with the words there are."""
    with pytest.raises(Rejected, match=r"there is no step type 'nope'. Use one of ab_test, backfill, "):
        load_type("nope", StepTypes([]))

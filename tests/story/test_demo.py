"""The demo as the README tells it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
STORY = [sys.executable, str(ROOT / "deploy" / "demo" / "story.py")]


def _tell(home: Path, **more: str) -> subprocess.Popen[str]:
    # A project that a cloud shell presets must not send the demo there.
    environment = {**os.environ, "COLONY_DEMO_HOME": str(home), "GOOGLE_CLOUD_PROJECT": "never-used", **more}
    return subprocess.Popen(
        STORY,
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_the_demo_tells_the_whole_story_interrupted_and_again(tmp_path: Path) -> None:
    """Interrupted with Ctrl-C in the middle of a run it goes on, deploys the better model, and then begins anew."""
    home = tmp_path / "demo"
    first = _tell(home)
    end = time.monotonic() + 60
    while not list(home.glob("runs/*/steps/train_model")) and time.monotonic() < end:
        time.sleep(0.05)
    assert list(home.glob("runs/*/steps/train_model")), "no run was under way to be interrupted"
    os.killpg(first.pid, signal.SIGINT)
    told = first.communicate(timeout=60)[0]
    assert first.returncode != 0, told

    told, code = _finish(home)

    assert code == 0, told
    assert "An earlier demo was interrupted" in told
    for words in ("→ DEPLOYED", "→ REJECTED", "no evidence of a drop", "duplicate", "stale", "dead letter", "50."):
        assert words in told
    assert re.search(r"difference 0\.5\d\d, 95% interval 0\.4\d\d to 0\.6\d\d", told)
    accuracy = [float(found) for found in re.findall(r"^  [13] +739 +6 +(0\.\d{3})", told, flags=re.MULTILINE)]
    assert len(accuracy) == 2
    assert accuracy[0] < 0.8
    assert accuracy[1] > 0.9
    _check_the_rollouts(told)

    again = _tell(home)
    assert again.stdout is not None
    begun = [line for _, line in zip(range(6), again.stdout, strict=False)]
    os.killpg(again.pid, signal.SIGINT)
    again.communicate(timeout=60)

    # The rest is what the first one did.
    assert not any("An earlier demo" in line for line in begun), begun
    assert not (home / "done").exists()


def _check_the_rollouts(told: str) -> None:
    """The better version is verified day by day and its incident closed; the forced one is taken back by evidence."""
    canary, forced = told.split("\n6  ")[1].split("\n7  ")
    forced = forced.split("\n8  ")[0]
    assert "→ ROLLOUT" in told
    assert re.findall(r"^→ (\w+): not worse: accuracy 0\.", canary, flags=re.MULTILINE) == ["advanced"] * 2 + [
        "verified"
    ]
    assert re.search(r"^f\w+ +spam-guard +1 +closed ", canary, flags=re.MULTILINE)
    assert "the rollout of version 2 begins: version 2 serves 10 %, version 3 serves 90 %" in forced
    ends = re.findall(r"^→ (waits|rolled back): .*accuracy (0\.\d+) → (0\.\d+)", forced, flags=re.MULTILINE)
    assert [end for end, *_ in ends[:-1]] == ["waits"] * (len(ends) - 1)
    assert ends[-1][0] == "rolled back"
    assert float(ends[-1][1]) > float(ends[-1][2]) + 0.1
    assert re.search(r"model\.rolled_back +yes +worse: accuracy", told)


def _finish(home: Path) -> tuple[str, int]:
    process = _tell(home)
    return process.communicate(timeout=240)[0], process.returncode

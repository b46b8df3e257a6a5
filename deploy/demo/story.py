"""The demo: a model decays on real data, is retrained, wins on rows that neither has seen, is deployed, and is used.

Every step is a command that a reader can type; every number is computed here, from deploy/demo/*.csv.gz alone. Started
again after an interruption it goes on; started again after its end it begins anew.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import datetime, timedelta
from pathlib import Path

from config.schema import layers
from config.settings import read_settings
from worker.app import App
from worker.cli.root import run
from worker.clock import parse_time, wall_clock
from worker.models.trials import TrialKind
from worker.monitor.judge import Asked
from worker.rollout.encoding import decoded
from worker.rollout.machine import Rollout

DATA = Path(__file__).parent
PLAN = DATA / "rollout.yaml"
ROOT = Path(os.environ.get("COLONY_DEMO_HOME", ".colony/demo"))
DONE = ROOT / "done"
BEE = "spam-guard"
WEEKS = [parse_time("2002-08-08T00:00:00Z") + timedelta(days=7 * number) for number in range(8)]
DRIFTED = parse_time("2002-10-01T00:00:00Z")
AFTER = parse_time("2002-10-11T00:00:00Z")
FORCED = parse_time("2002-10-05T00:00:00Z")
REFUSED, CHALLENGER = "2", "3"
#: These commands execute pipelines, and have a process of their own for that.
LEAD_RUNS = {"trigger", "replay", "backtest"}
DAY = timedelta(days=1)
BOLD, DIM, END = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")


def main() -> None:
    """Tell the story."""
    started = time.monotonic()
    prepare(ROOT, DONE, PLAN.read_text(encoding="utf-8"))
    _chapter("1  The features are defined once, and imported with the time at which they became known")
    features()
    _chapter("2  Version 1: a run on July 2002; with no champion it must beat the naive baseline")
    colony("trigger", "auto-retrain", "--bee", BEE, "--as-of", "2002-08-01", "--wait", "--key", "demo-bootstrap")
    _chapter("3  Eight weeks of evaluations: the monitor scores version 1 on each week's labels as they came")
    colony("replay", str(_recording("weeks.jsonl", _quiet_weeks())), "--wait")
    print(f"{DIM}Redelivered, out of order, malformed, a week without any spam: all told, none of it a drop.{END}")
    _chapter("4  An operator retrains without need, as of 5 September: the gate refuses what is not better")
    colony("trigger", "auto-retrain", "--bee", BEE, "--as-of", "2002-09-05", "--wait", "--key", "demo-early")
    _chapter("5  A new kind of mail appears; the evaluation of 1 October falls by more than 20 %")
    colony("replay", str(_recording("drift.jsonl", _monitored("drift", "1", [DRIFTED]) * 3)), "--wait")
    _chapter("6  The canary: the better model serves a share of the mail first, and more only on evidence of each day")
    _canary()
    _chapter("7  An operator forces the version that the gate refused; the next days' mail takes it back")
    _forced()
    _chapter("8  The ten days after: champion against challenger, on mail that came after the deployment")
    _ten_days_after()
    _chapter("9  The new champion's own evaluation: 6 spams in 739 mails are no evidence against it")
    colony("replay", str(_recording("after.jsonl", _after())), "--wait")
    _chapter("10  It is used: a prediction, features read online")
    colony("predict", "--bee", BEE, "--entity", _newest_content())
    _chapter("11  What the colony was told, and what is in production")
    colony("events")
    colony("models")
    colony("models", "history", BEE)
    colony("incident")
    DONE.touch()
    print(f"\n{BOLD}Done in {time.monotonic() - started:.0f} s.{END} Look around, for example:")
    for words in ("decisions", "runs", "incident", "events --json", "serve"):
        print(f"  COLONY_HOME={ROOT} .venv/bin/colony {words}")


def prepare(root: Path, done: Path, more: str) -> None:
    """Give all that follows a data directory of its own, anew if it is done; `more` is added to the bee's file."""
    if done.exists():
        shutil.rmtree(root)
    elif root.exists():
        print(f"{DIM}An earlier demo was interrupted; going on with it ({root}).{END}")
    root.mkdir(parents=True, exist_ok=True)
    for name in [name for name in os.environ if name.startswith(("GOOGLE_CLOUD_", "PIPELINE_", "PUBSUB_EMULATOR"))]:
        # Nobody pays by accident: a cloud shell presets a project, and the demo is local whatever it says.
        del os.environ[name]
    for name in [name for name in os.environ if name.startswith("COLONY_")]:
        del os.environ[name]
    bees = root / "config" / "bees"
    bees.mkdir(parents=True, exist_ok=True)
    shipped = (layers(None)[0] / "bees" / f"{BEE}.yaml").read_text(encoding="utf-8")
    (bees / f"{BEE}.yaml").write_text(shipped + more, encoding="utf-8")
    os.environ |= {"COLONY_HOME": str(root.absolute()), "COLONY_CONFIG": str(bees.parent.absolute())}


def features() -> None:
    """Define the features and import their values."""
    colony("features", "define")
    user = ("--entity", "user", "--entity-id", "user_id")
    content = ("--entity", "content", "--entity-id", "content_id")
    at = ("--event-time", "event_timestamp", "--known-at")
    colony("features", "import", _data("user_features"), *user, *at, "created")
    colony("features", "import", _data("content_features"), *content, *at, "created")
    colony("features", "import", _data("messages"), *content, *at, "event_timestamp", "--columns", "label,user_id")


def _quiet_weeks() -> list[str]:
    """Return the weeks' events: in all forms, two delivered again, one out of order, one malformed."""
    weeks = _monitored("monitored", "1", WEEKS, quiet=True)
    lines = [week if number % 2 else _pubsub(week) for number, week in enumerate(weeks)]
    lines.insert(3, lines[2])
    lines.insert(6, '{"type": "model.evaluated", "eventId": "broken", "beeId": "spam-guard", "metrics": {"f1": NaN}}')
    lines[-1], lines[-2] = lines[-2], lines[-1]
    lines.append(lines[0])
    return lines


def _after() -> list[str]:
    return _monitored("after", None, [AFTER], "--window", "10d")


def _monitored(name: str, version: str | None, times: Sequence[datetime], *more: str, quiet: bool = False) -> list[str]:
    """Return the events of what `colony monitor` finds as of some times, one line each."""
    path = ROOT / f"{name}.jsonl"
    chosen = ("--version", version) if version else ()
    as_of = [word for time in times for word in ("--as-of", f"{time:%Y-%m-%d}")]
    colony("monitor", BEE, *chosen, *more, *as_of, "--save", str(path), quiet=quiet)
    return path.read_text(encoding="utf-8").splitlines()


def _canary() -> None:
    """Look at the rollout of the challenger after each day, until it is over."""
    colony("models", "split", BEE)
    for day in (DRIFTED + number * DAY for number in range(1, 5)):
        rollout = _rollout(CHALLENGER)
        if rollout is None or not rollout.active:
            break
        colony("models", "verify", BEE, "--as-of", f"{day:%Y-%m-%d}")
    colony("incidents")


def _forced() -> None:
    """Force the refused version past its gate, once, and look at it after each day until it is taken back."""
    print(f"{DIM}It was trained as of 5 September, before the new kind of mail; a person may, and it is recorded.{END}")
    if _rollout(REFUSED) is None:
        reason = "I trust my own model more"
        words = ("--version", REFUSED, "--force", "--reason", reason, "--as-of", f"{FORCED:%Y-%m-%d}")
        colony("models", "promote", BEE, *words)
    for day in (FORCED + number * DAY for number in range(1, 6)):
        rollout = _rollout(REFUSED)
        if rollout is None or not rollout.active:
            break
        colony("models", "verify", BEE, "--as-of", f"{day:%Y-%m-%d}")


def _rollout(version: str) -> Rollout | None:
    with _Opened() as app, app.ledger.begin(write=False) as transaction:
        found = [decoded(trial) for trial in transaction.trials.list(BEE, TrialKind.ROLLOUT)]
    return next((rollout for rollout in found if rollout.version == version), None)


def _ten_days_after() -> None:
    with _Opened() as app:
        with app.ledger.begin(write=False) as transaction:
            found = {one.version: one for one in transaction.models.versions(BEE)}
            deployed = transaction.models.champion(BEE)
        champion = deployed.version if deployed else "1"
        print(f"  {'version':<10}{'rows':>6}{'spam':>6}{'accuracy':>10}{'f1':>9}")
        for version in dict.fromkeys(("1", champion)):
            numbers = app.monitor.judge(Asked.at(app.bees[BEE], found[version], AFTER, AFTER - DRIFTED)).results
            counts = f"{numbers.rows:>6}{numbers.positives:>6}"
            mark = " ← in production" if version == champion else ""
            accuracy, f1 = (_shown(numbers.metrics[name].value) for name in ("accuracy", "f1"))
            print(f"  {version:<10}{counts}{accuracy:>10}{f1:>9}{mark}")


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


class _Opened:
    """The app on the demo's data directory."""

    def __enter__(self) -> App:
        self._app = App(read_settings(local=True), wall_clock)
        return self._app

    def __exit__(self, *_: object) -> None:
        self._app.close()


def _pubsub(line: str) -> str:
    event = json.loads(line)
    attributes = {f"ce-{name}": event[name] for name in ("specversion", "id", "source", "type", "time")}
    body = base64.b64encode(json.dumps(event["data"]).encode()).decode()
    message = {"data": body, "attributes": attributes, "messageId": event["id"], "publishTime": event["time"]}
    return json.dumps({"message": message, "subscription": "projects/demo/subscriptions/demo"})


def _recording(name: str, lines: list[str]) -> Path:
    path = ROOT / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _data(name: str) -> str:
    return str(DATA / f"{name}.csv.gz")


def _newest_content() -> str:
    import csv
    import gzip

    with gzip.open(DATA / "messages.csv.gz", "rt", encoding="utf-8") as file:
        return max(csv.DictReader(file), key=lambda row: datetime.fromisoformat(row["event_timestamp"]))["content_id"]


def _chapter(title: str) -> None:
    print(f"\n{BOLD}{title}{END}", flush=True)


def colony(*words: str, quiet: bool = False) -> None:
    """Show a command, and run it; its failure is the end."""
    shown = " ".join(word if " " not in word else repr(word) for word in words).replace(str(DATA) + "/", "")
    print(f"{DIM}$ colony {shown}{' > /dev/null' if quiet else ''}{END}", flush=True)
    code = (_apart if words[0] in LEAD_RUNS else _here)(words, quiet=quiet)
    if code:
        raise SystemExit(code)


def _apart(words: Sequence[str], *, quiet: bool) -> int:
    told = subprocess.DEVNULL if quiet else None
    return subprocess.run([sys.executable, "-m", "worker", *words], check=False, stdout=told).returncode


def _here(words: Sequence[str], *, quiet: bool) -> int:
    """Run a command in this process: a new one would load the same libraries again, for a second or two each time."""
    sys.argv = ["colony", *words]
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere if quiet else sys.stdout):
        code = run()
        sys.stdout.flush()
    return code


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("\ninterrupted; start it again to go on") from None

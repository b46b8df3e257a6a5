"""What may be wrong in a policy, each with its line and its mend; and the policy shown in its own words."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from config.policy_file import PolicyFile
from config.policy_words import in_words
from config.schema import read_policy
from worker.decide.policy import Approval, Arming, Breaker, Budget, Retry
from worker.errors import Rejected

FULL = """maxDrop: 0.3
clearDrop: 0.1
floor: 0.5
clearFloor: 0.6
metrics:
  roc_auc: {maxDrop: 0.1}
  latency: {floor: 9, clearFloor: 7, direction: lower}
drift: {severity: medium, atLeast: true, score: 0.4, clearScore: 0.2}
vote: 2
arming: {windows: 2, of: 3}
maxAhead: 10m
cooldown: 6h
retry: {limit: 4, backoff: 12h, factor: 3, longest: 9d}
verify: {windows: 2, rollBack: false, worseBy: 0.05, within: 30d, recover: true}
breaker: {failures: 3, within: 2d, pause: 3h}
budget: {runsPerDay: 4, costPerMonth: 100}
features: {hold: [stale, missing], trigger: [unlikeTraining]}
approval: {runs: always, deployments: always, aboveCost: 10, deploymentsAboveCost: 5, expires: 2h, onExpiry: approve}
colony:
  runs: 10
  starving: 2h
  breaker: {failures: 20}
  budget: {runsPerDay: 50}
bees:
  spam-guard: {maxDrop: 0.1, budget: {runsPerDay: 1}, approval: {runs: never}, verify: {recover: false}}
"""


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("maxDrop: 0.2\nclearDrop: 0.3\n", 2, "clearDrop: 0.3 is beyond the level that fires (0.2)"),
        ("cooldown: 1h\nclearFloor: 0.3\n", 2, "clearFloor: means nothing without floor; set floor"),
        ("vote: 3\n", 1, "vote: 3 of 2 rules can never be; set it to 2 or less"),
        ("vote: most\n", 1, "vote"),
        ("arming:\n  windows: 3\n  of: 2\n", 2, "arming.windows: 3 of 2 can never be; set `of` to 3 or more"),
        ("arming: {windows: 0}\n", 1, "greater than or equal to 1 (it says '0')"),
        ("drift:\n  clearScore: 0.5\n", 2, "drift.clearScore: 0.5 is beyond the level that fires (none)"),
        ("drift: {severity: none}\n", 1, "drift.severity"),
        ("metrics:\n  roc_auc: {}\n", 2, "metrics.roc_auc: says nothing; set maxDrop or floor"),
        ("metrics:\n  joy: {maxDrop: 0.1}\n", 2, "add direction: lower | higher"),
        ("metrics:\n  loss:\n    floor: 1\n    clearFloor: 2\n", 4, "metrics.loss.clearFloor: 2 is beyond the level"),
        ("metrics:\n  f1:\n    maxDrop: 0.1\n    clearFloor: 2\n", 4, "means nothing without floor"),
        ("cooldown: soon\n", 1, "write it as 30d, 12h or 86400s"),
        ("retry:\n  backoff: 9d\n", 1, "retry.longest: shorter than backoff (9d); set it to that or more"),
        ("retry: {limit: 0}\n", 1, "retry.limit"),
        ("retry: {factor: 0.5}\n", 1, "retry.factor"),
        ("verify: {windows: 0}\n", 1, "verify.windows"),
        ("breaker: {failures: 99}\n", 1, "breaker.failures"),
        ("breaker: {failures: 2, pause: 0s}\n", 1, "breaker.pause: a breaker that opens for no time"),
        ("budget: {runsPerDay: -1}\n", 1, "budget.runsPerDay"),
        ("budget: {runsPerMonth: 1}\n", 1, "budget.runsPerMonth: no such setting; remove it, or correct its name"),
        ("approval:\n  runs: sometimes\n", 2, "approval.runs: Input should be 'never' or 'always'"),
        ("approval:\n  expires: 0s\n", 2, "approval.expires: nobody could answer in time"),
        ("approval: {onExpiry: shrug}\n", 1, "approval.onExpiry"),
        ("features: {hold: [unlikeTraining]}\n", 1, "cannot hold a retrain back, which is what mends it"),
        ("features: {trigger: [drifted, drifted]}\n", 1, "trigger lists a kind twice"),
        ("features:\n  hold: [strange]\n", 2, "features.hold.0"),
        ("colony: {runs: 0}\n", 1, "colony.runs"),
        ("colony: {cooldown: 1h}\n", 1, "colony.cooldown: no such setting"),
        ("bees:\n  spam-guard:\n    maxDrop: 2\n", 3, "maxDrop: Input should be less than 1 (it says '2')"),
        ("bees:\n  spam-guard:\n    colony: {runs: 1}\n", 3, "no such setting for a bee; remove it"),
        ("bees:\n  spam-guard:\n    clearDrop: 0.5\n", 3, "bees.spam-guard.clearDrop: 0.5 is beyond"),
        ("bees:\n  spam-gaurd: {maxDrop: 0.1}\n", 2, "there is no such bee; correct the name (there are: spam-guard)"),
        ("bees:\n  spam-guard: 3\n", 2, "bees.spam-guard: Input should be a valid dictionary"),
    ],
)  # fmt: skip
def test_each_fault_has_its_line_and_its_mend(tmp_path: Path, text: str, line: int, words: str) -> None:
    """Whatever is wrong, the message leads to the place and says what to do."""
    path = tmp_path / "policy.yaml"
    path.write_text(text)

    with pytest.raises(Rejected) as raised:
        read_policy(path, ["spam-guard"])

    assert f"{path}:{line}: " in str(raised.value)
    assert words in str(raised.value)


def test_all_faults_at_once(tmp_path: Path) -> None:
    """Whoever corrects a policy sees everything that is to be corrected."""
    path = tmp_path / "policy.yaml"
    path.write_text("vote: 9\nclearDrop: 0.9\nbees:\n  nobody: {clearDrop: 0.9}\n")

    with pytest.raises(Rejected) as raised:
        read_policy(path, ["spam-guard"])

    assert len(str(raised.value.reason).splitlines()) == 5


def test_a_bees_own_words_lie_over_the_common_ones(tmp_path: Path) -> None:
    """What a bee does not say stays as it is for all, inside sections, too."""
    path = tmp_path / "policy.yaml"
    path.write_text(FULL)
    policy = read_policy(path)
    own = policy.of("spam-guard")

    assert (own.metric.max_drop, own.metric.clear_drop) == (Decimal("0.1"), Decimal("0.1"))
    assert own.budget == Budget(1, Decimal(100))
    assert own.approval == Approval("never", "always", Decimal(10), Decimal(5), timedelta(hours=2), "approve")
    assert (own.arming, own.version, own.colony) == (Arming(2, 3), policy.version, policy.colony)
    assert own.retry == Retry(4, timedelta(hours=12), 3, timedelta(days=9))
    assert policy.of("other-bee").budget == Budget(4, Decimal(100))
    assert policy.colony.breaker == Breaker(failures=20)


def test_a_word_that_is_off_makes_no_other_version(tmp_path: Path) -> None:
    """A file without `recover`, or with it off, means what it always did; with it on it is another policy."""
    path, found = tmp_path / "policy.yaml", []
    for text in ("maxDrop: 0.2\n", "verify: {recover: false}\n", "verify: {recover: true}\n"):
        path.write_text(text)
        found.append(read_policy(path).version)

    assert found[0] == found[1] != found[2]
    assert PolicyFile().model_dump(by_alias=True)["verify"].keys() == {"windows", "rollBack", "worseBy", "within"}


@pytest.mark.parametrize("text", [FULL, "maxDrop: 0.2\n", "maxDrop: null\nfloor: 0.4\n"])
def test_what_is_shown_means_the_same(tmp_path: Path, text: str) -> None:
    """The words of a policy, read again, are that policy: of all bees, and of one."""
    path, again = tmp_path / "policy.yaml", tmp_path / "again.yaml"
    path.write_text(text)
    policy = read_policy(path)

    again.write_text(yaml.safe_dump(in_words(policy)))
    assert read_policy(again) == policy
    again.write_text(yaml.safe_dump(in_words(policy, "spam-guard")))
    own = read_policy(again)
    for name in ("metric", "metrics", "drift", "vote", "arming", "cooldown", "retry", "verify", "budget", "approval"):
        assert getattr(own, name) == getattr(policy.of("spam-guard"), name)

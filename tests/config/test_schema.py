from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from config.schema import SHIPPED, layers, load_bees, load_features, load_policy, load_templates, read_policy
from worker.decide.policy import DriftRule, MetricRule, Policy
from worker.errors import Rejected

BEE = """bee: NAME
entity: content
label: label
features: [spam_probability]
metric: f1
"""


def _bee(directory: Path, name: str, text: str = BEE) -> Path:
    path = directory / "bees" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace("NAME", name))
    return path


def _faults(directory: Path) -> list[str]:
    with pytest.raises(Rejected) as error:
        load_bees([directory])
    return str(error.value.reason).splitlines()


def test_what_ships_is_right() -> None:
    """The shipped bee, features, policy and template are read without a fault."""
    bee = load_bees([SHIPPED])["spam-guard"]
    assert {*bee.features, bee.label, *bee.entities.values()} <= set(load_features([SHIPPED]))
    assert "auto-retrain" in load_templates([SHIPPED])


def test_the_shipped_policy_is_the_missions_rule() -> None:
    """More than exactly a fifth, severity exactly high, five minutes: and a missing file means the same."""
    shipped = load_policy([SHIPPED])

    assert (shipped.metric, shipped.drift) == (MetricRule(max_drop=Decimal("0.2")), DriftRule("high", at_least=False))
    assert shipped.max_ahead == timedelta(minutes=5)
    assert load_policy([]) == Policy()
    assert replace(shipped, version="default") == Policy()


def test_every_fault_at_once(tmp_path: Path) -> None:
    """All files' faults are told together, each with file, line and path."""
    first = _bee(tmp_path, "one", BEE + "gate:\n  holdout: 2\n  minRowz: 5\n")
    second = _bee(
        tmp_path, "two", "bee: two\nentity: [x]\nmetric: niceness\nfeatures: [a, a]\nlabel: label\nwindow: long\n"
    )
    third = _bee(tmp_path, "three", "bee: three\nbee: three\n")
    fourth = _bee(tmp_path, "four", "bee: [")

    faults = "\n".join(_faults(tmp_path))

    assert f"{first}:7: gate.holdout: " in faults
    assert f"{first}:8: gate.minRowz: no such setting" in faults
    assert f"{second}:2: entity: " in faults
    assert f"{second}:6: window: 'long' is not a duration; write it as 30d" in faults
    assert f"{third}:2: 'bee' stands there twice" in faults
    assert f"{fourth}: not YAML" in faults


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BEE.replace("metric: f1", "metric: niceness"), ("direction", "metricDirection")),
        (BEE.replace("[spam_probability]", "[label]"), ("holds the label",)),
        (BEE.replace("[spam_probability]", "[a, a]"), ("lists a name twice",)),
        (BEE.replace("[spam_probability]", "[]"), ("features",)),
        (BEE.replace("entity: content\n", ""), ("entity", "is missing")),
        (BEE + "window: 0d\n", ("longer than nothing",)),
        (BEE + "window: 99999999999999999999d\n", ("too long",)),
        (BEE + "metricDirection: up\n", ("metricDirection",)),
        (BEE + "gate: {holdout: .nan}\n", ("gate.holdout",)),
        (BEE + "mode: on\n", ("mode",)),
    ],
)
def test_wrong_bees(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    """Each fault of a bee says what is wrong and where."""
    path = _bee(tmp_path, "one", text)

    (fault,) = _faults(tmp_path)

    assert fault.startswith(f"{path}:")
    assert all(word in fault for word in words)


def test_a_bees_file_has_its_name(tmp_path: Path) -> None:
    """A file named otherwise than its bee is refused, with the right name."""
    _bee(tmp_path, "one").rename(tmp_path / "bees" / "eins.yaml")

    assert "name the file one.yaml" in _faults(tmp_path)[0]


@pytest.mark.parametrize("content", [b"", b"- a", b"text", b"\xff\xfe", b"a: " + b"x" * 1_100_000, b"? [a]\n: b"])
def test_files_that_are_no_bees(tmp_path: Path, content: bytes) -> None:
    """A file that is empty, a list, not UTF-8, too large or no YAML is named."""
    path = _bee(tmp_path, "one")
    path.write_bytes(content)

    assert str(path) in "\n".join(_faults(tmp_path))


def test_an_overlay_adds_and_replaces(tmp_path: Path) -> None:
    """A directory laid over the shipped one replaces a bee, a feature, a template and the policy by name, and adds."""
    _bee(tmp_path, "spam-guard", BEE + "mode: observe\n")
    _bee(tmp_path, "mine")
    (tmp_path / "policy.yaml").write_text("maxDrop: 0.3\n")
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "x.yaml").write_text(
        "features:\n  - {name: spam_probability, entity: content, type: number, ttl: 7d}\n"
    )
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "auto-retrain.yaml").write_text("name: auto-retrain\n")
    both = layers(tmp_path)

    assert load_bees(both)["spam-guard"].mode == "observe"
    assert "mine" in load_bees(both)
    assert load_policy(both).metric.max_drop == Decimal("0.3")
    assert load_features(both)["spam_probability"].ttl == timedelta(days=7)
    assert set(load_features(both)) == set(load_features([SHIPPED]))
    assert load_templates(both)["auto-retrain"].path == tmp_path / "pipelines" / "auto-retrain.yaml"


def test_an_overlay_that_is_not_there(tmp_path: Path) -> None:
    """A mistyped COLONY_CONFIG is refused, not ignored."""
    with pytest.raises(Rejected, match="COLONY_CONFIG"):
        layers(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "text",
    [
        "maxDrop: 0.2\ndrift: {severity: high, atLeast: false}\nmaxAhead: 5m\n",
        "# a comment\nmaxAhead: 300s\nmaxDrop: 0.2000\n",
        'maxDrop: "0.20"\n',
        "{drift: {atLeast: no}}\n",
    ],
)
def test_the_policys_hash_is_of_its_meaning(tmp_path: Path, text: str) -> None:
    """Order, comments, spelling and defaults written out do not change a policy's version."""
    path = tmp_path / "policy.yaml"
    path.write_text(text)

    assert read_policy(path).version == load_policy([SHIPPED]).version


@pytest.mark.parametrize(
    "text", ["maxDrop: 0.21\n", "drift: {severity: medium}\n", "drift: {atLeast: true}\n", "maxAhead: 6m\n"]
)
def test_another_policy_has_another_hash(tmp_path: Path, text: str) -> None:
    """Each part of the policy counts."""
    path = tmp_path / "policy.yaml"
    path.write_text(text)

    assert read_policy(path).version != load_policy([SHIPPED]).version


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("maxDrop: 0\n", "maxDrop"),
        ("maxDrop: 1.5\n", "maxDrop"),
        ("maxDrop: much\n", "maxDrop"),
        ("maxDrops: 0.2\n", "no such setting"),
        ("drift: {severity: awful}\n", "drift.severity"),
        ("maxAhead: soon\n", "duration"),
        ("maxDrop: 0.2\nmaxDrop: 0.3\n", "twice"),
    ],
)
def test_wrong_policies(tmp_path: Path, text: str, word: str) -> None:
    """A policy that cannot be meant is refused with its place."""
    path = tmp_path / "policy.yaml"
    path.write_text(text)

    with pytest.raises(Rejected) as error:
        read_policy(path)

    assert word in str(error.value)
    assert f"{path}:" in str(error.value)

from collections.abc import Callable

import pytest

from worker.errors import Rejected
from worker.pipelines.template import Template

Parse = Callable[[str], Template]

TEXT = """
name: nightly
trigger: schedule
schedule: {cron: "0 3 * * 1", zone: Europe/Berlin, parameters: {beeId: spam-guard, depth: 2}}
parameters: {depth: {type: integer}}
steps: [{id: a, type: source}]
"""


def test_a_schedule(parse: Parse) -> None:
    """Cron expression, zone and parameters are read."""
    schedule = parse(TEXT).schedule

    assert schedule is not None
    assert (schedule.cron, schedule.zone) == ("0 3 * * 1", "Europe/Berlin")
    assert schedule.parameters == {"beeId": "spam-guard", "depth": 2}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (('schedule: {cron: "0 3 * * 1"', 'other: {cron: "0 3 * * 1"'), "trigger: a schedule is missing"),
        (("trigger: schedule", "trigger: manual"), "schedule: does nothing, for the trigger is 'manual'"),
        (("0 3 * * 1", "0 3 * *"), "schedule.cron: '0 3 * *' is not a cron expression of five fields"),
        (("0 3 * * 1", "0 25 * * 1"), "schedule.cron: '0 25 * * 1' is not a cron expression; write minute"),
        (("0 3 * * 1", "0 3 31 2 *"), "schedule.cron: '0 3 31 2 *' names a date that never comes"),
        (("0 3 * * 1", "H 3 * * *"), "schedule.cron: 'H 3 * * *' is not a cron expression"),
        (("0 3 * * 1", "@weekly"), "schedule.cron: '@weekly' is not a cron expression of five fields"),
        (("Europe/Berlin", "Berlin"), "schedule.zone: 'Berlin' is not a time zone; write it as Europe/Berlin"),
        (("Europe/Berlin", "../etc/passwd"), "schedule.zone: '../etc/passwd' is not a time zone"),
        (("beeId: spam-guard, ", ""), "schedule.parameters.beeId: is missing; say which bee"),
        ((", depth: 2", ""), "schedule.parameters.depth: is missing"),
        (("depth: 2", "depth: deep"), "schedule.parameters.depth: 'deep' is not an integer"),
        (("depth: 2", "depth: 2, deep: 1"), "schedule.parameters.deep: is not a parameter of the template"),
    ],
)
def test_faults(parse: Parse, change: tuple[str, str], fault: str) -> None:
    """What keeps a template from starting itself is told before anything runs."""
    assert change[0] in TEXT
    with pytest.raises(Rejected) as caught:
        parse(TEXT.replace(*change).replace("other:", "description: x\n#"))

    assert fault in caught.value.reason


def test_drift_gives_no_parameters(parse: Parse) -> None:
    """A template that drift triggers cannot need a parameter that nobody would give."""
    with pytest.raises(Rejected, match=r"parameters\.depth: nobody gives it when drift triggers"):
        parse("{name: x, trigger: drift, parameters: {depth: {type: integer}}, steps: [{id: a, type: source}]}")


def test_which_templates_may_change_the_champion(parse: Parse) -> None:
    """Only a template with a step that hands a model over takes the bee's slot."""
    assert parse(TEXT).loop is False

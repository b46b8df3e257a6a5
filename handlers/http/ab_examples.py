"""An example of an A/B test for the API's description."""

from typing import Any

TEST_ID = "ab-667a21fae298fce091b3"
_EFFECT = {"difference": 0.0962, "lower": 0.0553, "upper": 0.1508}
_ADJUSTMENT = {"kind": "none", "reduction": None}
AB_TEST: dict[str, Any] = {
    "testId": TEST_ID, "beeId": "spam-guard", "state": "concluded", "versions": ["1", "2"], "control": "1",
    "plannedSplit": {"1": 50, "2": 50}, "trafficSplit": {"1": 100},
    "plan": {"versions": ["1", "2"], "minimumEffect": 0.05, "maxDuration": "21d"}, "champion": "1",
    "runId": "ab-test-spam-guard-58f20eee930880964654", "forced": {}, "startedAt": "2002-09-08T00:00:00Z",
    "endsBy": "2002-09-29T00:00:00Z", "endedAt": "2002-09-19T12:00:00Z", "winner": "2", "stoppedBy": None,
    "reason": "version 2 is better than 1 (+0.0962, interval +0.0553 to +0.1508)", "fault": None,
    "forecast": {
        "metric": "accuracy", "entities": 1634, "perDay": 54.5, "baseline": 0.97, "deviation": 0.17,
        "requiredSample": {"fixed": [171, 171], "sequential": [320, 320]}, "planned": [342, 342], "expectedDays": 11.8,
        "adjustment": _ADJUSTMENT,
    },
    "results": {
        "asOf": "2002-09-19T12:00:00Z", "metric": "accuracy", "lowerIsBetter": False, "exposed": [511, 548],
        "counted": [511, 548], "means": [0.9002, 0.9964],
        "effects": [{"version": "2", "counted": [511, 548], **_EFFECT, "spared": 0.0}],
        "ratio": {"p": 1.0, "served": 1.0, "crossed": 0}, "early": 0, "unanswered": 0, "guards": [], "slices": [],
        "history": [
            {"at": "2002-09-19T12:00:00Z", "exposed": [511, 548], "counted": [511, 548], "effects": [_EFFECT]},
        ],
    },
}  # fmt: skip

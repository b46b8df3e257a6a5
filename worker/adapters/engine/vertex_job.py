"""A Submission as a PipelineJob's fields, checked before anything is sent: Vertex takes broken specs without a word."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.engine.graph import build
from worker.engine.inputs import bind_root
from worker.errors import Rejected
from worker.runs.port import Submission

RUN_ID = re.compile(r"[a-z][-a-z0-9]{0,127}")
LABEL_LENGTH = 63
MAX_LABELS = 64
_LABEL = re.compile(rf"[a-z0-9_-]{{1,{LABEL_LENGTH}}}")
_RESERVED = "vertex-ai-pipelines-run-billing-id"
_REQUIRED = ("installation", "run")
#: Numbers travel as doubles, which hold whole numbers up to here.
_WHOLE = 2**53


_POLICIES = {"slow": "PIPELINE_FAILURE_POLICY_FAIL_SLOW", "fast": "PIPELINE_FAILURE_POLICY_FAIL_FAST"}


@dataclass(frozen=True)
class Placement:
    """Where and as whom a run executes.

    Attributes:
        service_account: an e-mail; empty: Compute Engine's default account.
        network: `projects/NUMBER/global/networks/NAME` to peer with, or empty.
        reserved_ranges: names of the IP ranges of `network` that its machines get their addresses from; none: any.
        network_attachment: `projects/P/regions/R/networkAttachments/NAME` for a Private Service Connect interface.
        encryption_key: a Cloud KMS key's full name, or empty.
        failure_policy: `slow`: after a failure all that can still run does; `fast`: nothing new begins.
    """

    service_account: str = ""
    network: str = ""
    encryption_key: str = ""
    reserved_ranges: tuple[str, ...] = ()
    network_attachment: str = ""
    failure_policy: str = "slow"


def job_fields(submission: Submission, placement: Placement) -> dict[str, Any]:
    """Return the PipelineJob as JSON values.

    Raises:
        Rejected: the id, a label, the output directory, the spec or a parameter would not do; with its path.
    """
    if not RUN_ID.fullmatch(submission.run_id):
        raise Rejected("must match [a-z][-a-z0-9]{0,127}", field="runId", mend="Use another name for the pipeline.")
    if not submission.output_dir.startswith("gs://"):
        raise Rejected(f"{submission.output_dir} is not in a bucket", field="outputDir", mend="Set PIPELINE_BUCKET.")
    graph = build(submission.spec)
    if bind_root(graph.spec, submission.parameters).artifacts:
        raise Rejected("Vertex AI takes artifacts only from its own metadata store", field="parameters")
    fields: dict[str, Any] = {
        "display_name": submission.run_id,
        "pipeline_spec": _json(submission.spec, "spec"),
        "runtime_config": {
            "gcs_output_directory": submission.output_dir,
            "parameter_values": {name: _value(value, name) for name, value in submission.parameters.items()},
            "failure_policy": _POLICIES[placement.failure_policy],
        },
        "labels": labels(submission.labels),
    }
    return fields | _placed(placement)


def _placed(placement: Placement) -> dict[str, Any]:
    """Return the fields that say where a run executes; what is not set stays Google's default."""
    fields: dict[str, Any] = {
        "service_account": placement.service_account,
        "network": placement.network,
        "reserved_ip_ranges": list(placement.reserved_ranges),
    }
    if placement.encryption_key:
        fields["encryption_spec"] = {"kms_key_name": placement.encryption_key}
    if placement.network_attachment:
        fields["psc_interface_config"] = {"network_attachment": placement.network_attachment}
    return {name: value for name, value in fields.items() if value}


def labels(given: Mapping[str, str]) -> dict[str, str]:
    """Return labels that Vertex takes; a value that it would not is shortened, and kept apart by a hash.

    Raises:
        Rejected: a key is wrong or reserved, or `installation` or `run` is missing.
    """
    for key in _REQUIRED:
        if not given.get(key):
            raise Rejected("missing", field=f"labels.{key}", mend="Every run carries it.")
    for key in given:
        if not _LABEL.fullmatch(key) or key == _RESERVED:
            raise Rejected("not a label's name", field=f"labels.{key}", mend=f"Use [a-z0-9_-], not {_RESERVED}.")
    if len(given) > MAX_LABELS:
        raise Rejected(f"{len(given)}, at most {MAX_LABELS} are possible", field="labels", mend="Leave some out.")
    return {key: label(value) for key, value in given.items()}


def label(value: str) -> str:
    """Return a text as a label's value: as it is if that would do, else shortened, and kept apart by a hash."""
    if not value or _LABEL.fullmatch(value):
        return value
    mark = hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()[:10]
    return f"{re.sub(r'[^a-z0-9_-]', '-', value.lower())[: LABEL_LENGTH - 11]}-{mark}"


def _value(value: Any, name: str) -> Any:
    field = f"parameters.{name}"
    plain = _json(value, field)
    if not _exact(plain):
        raise Rejected("a whole number beyond 2^53 would be changed", field=field, mend="Pass it as a string.")
    return plain


def _exact(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_exact, value.values()))
    if isinstance(value, list):
        return all(map(_exact, value))
    return not isinstance(value, int) or abs(value) <= _WHOLE


def _json(value: Any, field: str) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False, default=dict))
    except (TypeError, ValueError) as error:
        raise Rejected(f"not JSON: {error}", field=field, mend="Use JSON values, without NaN and infinity.") from error

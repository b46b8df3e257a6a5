#!/usr/bin/env bash
# One evaluation through a live colony: doctor, then event → decision → run, each step within its time.
#
#   BEE=spam-guard deploy/smoke.sh            the deployed worker takes the event
#   BEE=spam-guard deploy/smoke.sh --drain    this machine takes it (colony drain)
#   … --to-the-end                            waits for the run's verdict instead of cancelling it
#
# Needs the environment of the colony (deploy/README.md, step 8): GOOGLE_CLOUD_PROJECT, COLONY_LEDGER and so on, and
# `colony` with its Python: on the path, or named by COLONY and PYTHON.
# It costs one start of a pipeline (cancelled at once, unless --to-the-end) and some fractions of a cent beside.
# Exits with 0 if all of it happened, 1 if a step did not, and with doctor's code if that found something.
set -euo pipefail

colony=${COLONY:-colony}
python=${PYTHON:-python3}
bee=${BEE:?name the bee that the event is about: BEE=…}
patience=${PATIENCE:-300}
drain=false
to_the_end=false
for word in "$@"; do
  case $word in
    --drain) drain=true ;;
    --to-the-end) to_the_end=true ;;
    *) echo "smoke: $word is not an option; there are --drain and --to-the-end" >&2; exit 2 ;;
  esac
done

say() { printf '\nsmoke: %s\n' "$*"; }
fail() { say "FAILED: $*" >&2; exit 1; }

# one FIELD VALUE NAME… < lines: of the first JSON line whose FIELD is VALUE, prints what the NAMEs hold; - for nothing.
one() {
  "$python" -c '
import json, sys
field, value, *names = sys.argv[1:]
for line in sys.stdin:
    row = json.loads(line)
    if str(row.get(field)) == value:
        print(*("-" if row.get(name) is None else row[name] for name in names))
        break
' "$@"
}

# until_there WHAT COMMAND…: prints what COMMAND prints, once it prints something; gives up after PATIENCE seconds.
until_there() {
  local what=$1 found end=$((SECONDS + patience))
  shift
  while ((SECONDS < end)); do
    found=$("$@") && [[ -n $found ]] && { printf '%s' "$found"; return; }
    sleep 2
  done
  fail "$what did not happen within $patience s"
}

say "1/4 every dependency, with real calls"
"$colony" doctor --live || exit $?

version=$("$colony" models --bee "$bee" --json | one champion True version)
[[ -n $version ]] || fail "$bee has no model in production; adopt or train one first (colony models adopt --help)"

id="smoke-$(date -u +%Y%m%dT%H%M%SZ)-$$"
say "2/4 publishing evaluation $id of $bee, version $version: drift, severity high"
ID=$id BEE=$bee VERSION=$version "$python" - <<'PUBLISH'
import json
import os
from datetime import UTC, datetime

from config.settings import read_settings
from google.auth.credentials import AnonymousCredentials
from google.cloud.pubsub_v1 import PublisherClient

settings = read_settings()
now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
event = {
    "specversion": "1.0",
    "id": os.environ["ID"],
    "source": "//colony/smoke",
    "type": "model.evaluated",
    "data": {
        "beeId": os.environ["BEE"],
        "modelVersion": os.environ["VERSION"],
        "evaluatedAt": now,
        "drift": {"detected": True, "severity": "high", "score": 1.0},
    },
}
credentials = AnonymousCredentials() if os.environ.get("PUBSUB_EMULATOR_HOST") else None
client = PublisherClient(credentials=credentials)
topic = client.topic_path(settings.project, settings.intake_topic)
client.publish(topic, json.dumps(event).encode(), **{"content-type": "application/cloudevents+json"}).result(timeout=30)
PUBLISH

if $drain; then
  # 3: time ran out with work left, which the next look shows.
  "$colony" drain --max-seconds "$patience" --idle-seconds 5 || [[ $? == 3 ]] || fail "drain"
fi

say "3/4 waiting for the decision"
decided() { "$colony" decisions --bee "$bee" --limit 50 --json | one eventId "$id" action runId; }
decision=$(until_there "the decision" decided)
read -r action run <<<"$decision"
echo "action: $action; run: $run"
if [[ $run == - ]]; then
  "$colony" why "$id" || true
  fail "no run: the reason stands above (a cooldown, a pause, a budget, or the bee only observes); try another bee"
fi

say "4/4 waiting for the run to be taken by the engine"
status() { "$colony" runs show "$run" --json | one runId "$run" status; }
begun() { local now; now=$(status); [[ $now == pending ]] || echo "$now"; }
state=$(until_there "the start of $run" begun)
echo "status: $state"

if $to_the_end; then
  patience=${END_PATIENCE:-7200}
  ended() { case $(status) in succeeded | failed | cancelled) status ;; esac; }
  state=$(until_there "the end of $run" ended)
  "$colony" runs show "$run"
  [[ $state == succeeded ]] || fail "the run ended as $state"
else
  "$colony" runs cancel "$run"
  # Who runs no worker here lets one turn carry it out.
  if $drain; then "$colony" drain --max-seconds 60 --idle-seconds 1 || [[ $? == 3 ]]; fi
fi

say "ALL DONE: event → decision → run works on $GOOGLE_CLOUD_PROJECT"
cat <<CLEAN
What is left, and how to clear it:
  the incident that the event opened:  colony incident --bee $bee    then: colony incident close ID --reason smoke
  the bee's cooldown:                  ends by itself; colony policy show $bee tells when a trigger counts again
  the run's files:                     gcloud storage rm -r gs://$PIPELINE_BUCKET/runs/$run
  the decision and the run stay in the ledger, as everything does.
CLEAN

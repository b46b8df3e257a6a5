"""The bucket of runs and models: whether it is there, what the caller may do in it, and one object there and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from google.api_core import exceptions

from worker.adapters.google_calls import GOOGLE, meaning
from worker.adapters.google_checks.place import PATIENCE, Place
from worker.errors import Rejected, TryLater

_NEEDED = ("storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list")


def rights(place: Place) -> str:
    """Check that the bucket is there and that the caller may read and write in it."""
    with _bucket(place) as bucket:
        if "storage" in place.stand_ins and "iam" not in place.stand_ins:
            list(bucket.client.list_blobs(bucket, max_results=1, timeout=PATIENCE.attempt_s))
            return f"gs://{place.bucket} is there; its stand-in knows no rights"
        held = bucket.test_iam_permissions(list(_NEEDED), timeout=PATIENCE.attempt_s)
    missing = [permission for permission in _NEEDED if permission not in held]
    if missing:
        reason = f"{_member(place)} lacks {', '.join(missing)}"
        raise Rejected(reason, field=f"gs://{place.bucket}", mend=_grant(place))
    return f"gs://{place.bucket} may be read and written"


def round_trip(place: Place) -> str:
    """Write an object, read it back, and delete it."""
    content = place.task.encode()
    with _bucket(place) as bucket:
        blob = bucket.blob(f"doctor/{place.task}")
        blob.upload_from_string(content, timeout=PATIENCE.attempt_s, checksum="crc32c")
        try:
            found = blob.download_as_bytes(timeout=PATIENCE.attempt_s)
        finally:
            blob.delete(timeout=PATIENCE.attempt_s)
    if found != content:
        raise TryLater(f"gs://{place.bucket}: what was read back is not what was written")
    return f"{len(content)} bytes written, read and deleted"


@contextmanager
def _bucket(place: Place) -> Iterator[Any]:
    """Give the bucket; what Google's client raises is raised in our own words."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    if not place.bucket:
        mend = f"set it, for example to {place.project}-colony"
        raise Rejected("is not set: runs have nowhere to keep their files", field="PIPELINE_BUCKET", mend=mend)
    anonymous: Any = AnonymousCredentials
    stand_in = place.stand_ins.get("storage")
    try:
        if stand_in:
            client = storage.Client(place.project, anonymous(), client_options={"api_endpoint": stand_in})
        else:
            client = storage.Client(place.project, place.credentials)
        with client:
            yield client.bucket(place.bucket)
    except exceptions.NotFound as error:
        raise Rejected("does not exist", field=f"gs://{place.bucket}", mend=_create(place)) from error
    except GOOGLE as error:
        raise meaning(f"gs://{place.bucket}", error, {exceptions.Forbidden: _grant(place)}) from error
    except OSError as error:
        # The HTTP library's own faults are among them.
        raise TryLater(f"gs://{place.bucket}: {error}") from error


def _create(place: Place) -> str:
    return (
        f"gcloud storage buckets create gs://{place.bucket} --project={place.project} --location={place.region} "
        "--uniform-bucket-level-access --public-access-prevention"
    )


def _grant(place: Place) -> str:
    member = f"--member={_member(place)}"
    return f"gcloud storage buckets add-iam-policy-binding gs://{place.bucket} {member} --role=roles/storage.objectUser"


def _member(place: Place) -> str:
    return "the caller" if "storage" in place.stand_ins else place.member

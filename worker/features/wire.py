"""The feature store's HTTP shapes, one set for the server, its description and the client: camelCase JSON, checked."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from worker.errors import Rejected
from worker.features.definition import MAX_ENTITY_ID_BYTES

T = TypeVar("T")
NAME_PATTERN = "^[a-z][a-z0-9_]{0,127}$"

EntityId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_ENTITY_ID_BYTES,
        description="Any text of 1 to 1024 bytes of UTF-8 without NUL.",
        examples=["c-1017"],
    ),
]
Name = Annotated[str, Meta(pattern=NAME_PATTERN, examples=["spam_probability"])]
#: RFC 3339, and the zone is not optional.
Time = Annotated[datetime, Meta(tz=True, examples=["2002-09-28T00:00:00Z"])]
#: A whole number stays one while it is checked: one that is no 64-bit float is refused, not rounded.
Value = str | int | float | bool | list[int | float] | None
#: Names that are only looked up: one that is no name is not found, and a pattern for each costs more than a read.
Names = Annotated[list[str], Meta(min_length=1, examples=[["spam_probability", "engagement_rate"]])]


class Asked(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A request's body: a field that is not known is refused."""


class Told(Struct, frozen=True, rename="camel"):
    """An answer; a client reads on when a field is added."""


class DefineRequest(Asked, frozen=True, omit_defaults=True):
    """A feature, defined once; the same again changes nothing, and a change is a new version."""

    name: Name
    entity: Annotated[str, Meta(pattern=NAME_PATTERN, examples=["content"])]
    type: Literal["number", "string", "boolean", "vector"]
    source: Literal["ingested", "computed"] = "ingested"
    description: Annotated[str, Meta(max_length=2000)] = ""
    computation: Annotated[str, Meta(max_length=10_000, examples=["sum(engagement) / account_age"])] | None = None
    ttl: Annotated[str, Meta(max_length=32, examples=["30d", "12h", "86400s"])] | None = None
    group: Annotated[str, Meta(max_length=128, examples=["interaction"])] = ""
    owner: Annotated[str, Meta(max_length=256)] = ""
    unit: Annotated[str, Meta(max_length=64)] = ""
    tags: Annotated[list[Annotated[str, Meta(min_length=1, max_length=64)]], Meta(max_length=64)] = msgspec.field(
        default_factory=list
    )
    minimum: float | None = None
    maximum: float | None = None


class DefinitionShown(Told, frozen=True):
    """The newest version of a definition; `deprecated` is why it should not be used any more."""

    name: str
    entity: str
    type: str
    source: str
    version: int
    description: str = ""
    computation: str | None = None
    ttl: str | None = None
    group: str = ""
    owner: str = ""
    unit: str = ""
    tags: list[str] = []
    minimum: float | None = None
    maximum: float | None = None
    deprecated: str = ""


class DefinitionDetail(DefinitionShown, frozen=True, kw_only=True):
    """The newest version of a definition, and every version there was, oldest first."""

    versions: list[DefinitionShown]


class DeprecateRequest(Asked, frozen=True):
    """Why a feature should not be used any more; null: it may be again."""

    reason: Annotated[str, Meta(min_length=1, max_length=2000, examples=["spam_probability_v2 is better"])] | None


class ReaderUsage(Told, frozen=True):
    """How many values one reader has read, and when last."""

    caller: str
    purpose: str
    reads: int
    last_read: datetime


class UsedBy(Told, frozen=True):
    """Who would miss a feature: bees whose files name it, features computed from it, models in production."""

    bees: list[str]
    computed: list[str]
    models: list[str]


class FeatureUsage(Told, frozen=True):
    """Who uses and reads a feature, and how fresh it is; times are null where there is nothing yet.

    `staleSeconds` is how long ago its newest value became true.
    """

    feature_name: str
    used_by: UsedBy
    readers: list[ReaderUsage]
    last_read: datetime | None
    values: int
    last_written: datetime | None
    newest_event: datetime | None
    stale_seconds: float | None


class DefinitionPage(Told, frozen=True):
    """Definitions by name; `nextCursor` leads on."""

    features: list[DefinitionShown]
    next_cursor: str | None = None


class StoreValue(Asked, frozen=True, omit_defaults=True):
    """One value: true from `timestamp` on (default: now), known since `knownAt` (default: now; given for backfill)."""

    entity_id: EntityId
    feature_name: Name
    value: Value
    timestamp: Time | UnsetType = UNSET
    known_at: Time | UnsetType = UNSET


class StoreValues(Asked, frozen=True):
    """Many values, all or none of them."""

    values: Annotated[list[StoreValue], Meta(min_length=1)]


class Stored(Told, frozen=True):
    """How many values of the request are safe on the disk, and how many of them were new."""

    stored: int
    new: int


class ValueShown(Told, frozen=True):
    """A value as it stands, or why there is none."""

    value: str | float | bool | list[float] | None
    status: Literal["PRESENT", "MISSING", "EXPIRED", "NULL"]
    timestamp: datetime | None


class FeatureValue(ValueShown, frozen=True):
    """One feature of one entity."""

    entity_id: str
    feature_name: str


class BatchRequest(Asked, frozen=True, omit_defaults=True):
    """Features of one entity, or of many; each name fixes whose feature it is."""

    feature_names: Names
    entity_id: EntityId | UnsetType = UNSET
    entity_ids: Annotated[list[EntityId], Meta(min_length=1)] | UnsetType = UNSET


class EntityShown(Told, frozen=True):
    """One entity's features by name."""

    entity_id: str
    features: dict[str, ValueShown]


class BatchAnswer(Told, frozen=True):
    """The entities in the order asked for."""

    entities: list[EntityShown]


class SpineRow(Asked, frozen=True):
    """A row to be answered: an entity at a time."""

    entity_id: EntityId
    timestamp: Time


class _Training(Asked, frozen=True, kw_only=True, omit_defaults=True):
    """What both forms have in common."""

    feature_names: Names
    entity: str | UnsetType = UNSET
    entities: dict[str, str] | UnsetType = UNSET
    respect_known_at: bool = True


class TrainingAt(_Training, frozen=True, kw_only=True):
    """Every entity as it was at one time.

    `entity` says whose the rows are where the names are of several; `entities` then names, for each further one, the
    feature that holds its id. A value counts if it was known by then, unless `respectKnownAt` is false.
    """

    entity_ids: Annotated[list[EntityId], Meta(min_length=1, examples=[["c-1017", "c-1018"]])]
    snapshot_time: Time


class TrainingSpine(_Training, frozen=True, kw_only=True):
    """Rows that have a time of their own; their order and duplicates are kept."""

    spine: Annotated[list[SpineRow], Meta(min_length=1)]


class Reproduce(Asked, frozen=True):
    """A table that was answered before, the very same, whatever was written since."""

    snapshot_id: Annotated[str, Meta(min_length=1, max_length=128, pattern="^[!-~]+$")]


class TrainingRow(Told, frozen=True):
    """One row of the spine; a feature without a value then is null."""

    entity_id: str
    timestamp: datetime
    features: dict[str, str | float | bool | list[float] | None]


class TrainingAnswer(Told, frozen=True):
    """One row for each of the spine; the `snapshotId` reproduces it."""

    snapshot_id: str
    rows: list[TrainingRow]


class _Peek(Struct):
    """Which form a body has, without a look into its parts."""

    values: msgspec.Raw | UnsetType = UNSET
    spine: msgspec.Raw | UnsetType = UNSET
    snapshotId: msgspec.Raw | UnsetType = UNSET  # noqa: N815 - as the body writes it


def reader(type_: type[T]) -> Callable[[bytes], T]:
    """Return what turns a body into a request, or raises Rejected that names the field, as in `values[3].value`."""
    decode = msgspec.json.Decoder(type_).decode

    def read(body: bytes) -> T:
        try:
            return decode(body)
        except msgspec.ValidationError as error:
            raise wrong_field(str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            said = str(error) or "the body is empty"
            raise Rejected(f"the body is not JSON: {said}", field="body", mend="send JSON in UTF-8") from error

    return read


def wrong_field(said: str) -> Rejected:
    """Return the error for what msgspec says of a part that is not as described."""
    reason, at, path = said.partition(" - at `$")
    field = path.rstrip("`").lstrip(".") if at else ""
    if "required field `" in reason or "unknown field `" in reason:
        name = reason.split("`")[1]
        field = f"{field}.{name}" if field else name
        reason = "is missing" if "required" in reason else "is not a field here"
    mend = "see /api/mlops/docs"
    if "timezone" in reason or "RFC3339" in reason:
        reason, mend = "is not a time with a zone", "write it as 2002-09-28T00:00:00Z"
    return Rejected(reason, field=field or "body", mend=mend)


_peek = reader(_Peek)


def form(body: bytes) -> str:
    """Return which of several forms a body has: `values`, `spine`, `snapshotId`, or the empty text for the first one.

    Raises:
        Rejected: it is no JSON object.
    """
    peeked = _peek(body)
    return next((name for name in _Peek.__struct_fields__ if getattr(peeked, name) is not UNSET), "")

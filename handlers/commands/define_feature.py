"""Define, deprecate and delete features; what changed is told to the colony as `feature.defined`."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from handlers.commands.feature_users import Users, live_models, users_of
from worker.bee import BeeSpec
from worker.clock import to_text
from worker.errors import Conflict, NotFound, Rejected
from worker.features.definition import unknown_feature
from worker.features.port import Definition, FeatureStore
from worker.features.shown import shown_definition
from worker.ledger import Ledger, Transaction

#: The subject and ordering key of every definition's events; no bee can have this name.
SUBJECT = "features/definitions"
MAX_REASON = 2000


def define_feature(definition: Definition, store: FeatureStore, ledger: Ledger, now: datetime) -> Definition:
    """Store a definition and return it with its version; the same again changes nothing, and is told once.

    The store and the ledger are two databases: should this process die between them, defining the same again makes
    up for the event, whose id is that of the version.

    Raises:
        Rejected: a definition that cannot be kept.
        Conflict: the type or the entity changes while values exist.
    """
    defined = store.define(definition)
    tell_defined([defined], ledger, now)
    return defined


def tell_defined(definitions: Iterable[Definition], ledger: Ledger, now: datetime) -> None:
    """Add the events of versions to the outbox, those that are not there yet."""
    with ledger.begin() as transaction:
        for definition in definitions:
            _tell(definition, definition.name, transaction, now)


def deprecate_feature(name: str, reason: str | None, store: FeatureStore, ledger: Ledger, now: datetime) -> Definition:
    """Say why a feature should not be used any more (None: it may be again); it goes on working, in its version.

    Raises:
        NotFound: it is not defined.
        Rejected: the reason says nothing.
    """
    standing = find_feature(name, store)
    if reason is not None and not 1 <= len(reason.strip()) <= MAX_REASON:
        raise Rejected("says nothing, or too much", field="reason", mend=f"say in 1 to {MAX_REASON} characters why")
    marked = store.define(replace(standing, deprecated=(reason or "").strip()))
    if marked != standing:
        with ledger.begin() as transaction:
            _tell(marked, f"{name} as of {to_text(now)}", transaction, now)
    return marked


def _tell(definition: Definition, subject_id: str, transaction: Transaction, now: datetime) -> None:
    """Add the event to the outbox, unless it is there: its id is made of the subject's id and the version."""
    shown = shown_definition(definition)
    fields = {"feature" if name == "name" else name: getattr(shown, name) for name in shown.__struct_fields__}
    data = {name: value for name, value in fields.items() if value not in (None, "", [])}
    transaction.outbox.add(SUBJECT, "feature.defined", subject_id, definition.version, now, data)


def delete_feature(
    name: str, store: FeatureStore, bees: Mapping[str, BeeSpec], ledger: Ledger, *, force: bool = False
) -> Users:
    """Delete a feature with all its values, and return who used it.

    With `force` it is deleted although a bee's spec names it or a model in production reads it: the bee's next run
    fails until its spec changes, and the skew guard refuses to predict with that model. What is computed from a
    feature always stands against deleting it.

    Raises:
        NotFound: it is not defined.
        Conflict: a bee, a model in production or a computed feature reads it.
    """
    find_feature(name, store)
    users = users_of(name, store.definitions(), bees, live_models(ledger))
    if users.computed or (users.words() and not force):
        raise Conflict(f"the feature {name!r} is used by {', '.join(users.words())}")
    store.delete(name)
    return users


def find_feature(name: str, store: FeatureStore) -> Definition:
    """Return the newest version of a definition. Raises NotFound."""
    definitions = {item.name: item for item in store.definitions()}
    found = definitions.get(name)
    if found is None:
        raise NotFound(str(unknown_feature(name, list(definitions))), field="featureName")
    return found

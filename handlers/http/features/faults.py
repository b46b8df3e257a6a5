"""Which of many ids or names is wrong: the store knows that one is, and its caller where it stood."""

from collections.abc import Collection, Iterable, Sequence

from worker.errors import NotFound, Rejected
from worker.features.definition import check_entity_id, unknown_feature


def check_ids(ids: Iterable[str], field: str) -> None:
    """Raise Rejected for the first text that is no entity id; `field` has `{}` where its number belongs."""
    for number, entity_id in enumerate(ids):
        try:
            check_entity_id(entity_id)
        except Rejected as error:
            raise Rejected(error.reason, field=field.format(number), mend=error.mend) from error


def check_names(names: Sequence[str], known: Collection[str], field: str = "featureNames[{}]") -> None:
    """Raise NotFound for the first name that is no feature's; `field` has `{}` where its number belongs."""
    for number, name in enumerate(names):
        if name not in known:
            raise NotFound(str(unknown_feature(name, list(known))), field=field.format(number))

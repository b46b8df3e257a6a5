"""The definitions as this process last saw them, shared by its reads and writes."""

from worker.adapters.features.embedded import catalogue
from worker.adapters.features.embedded.catalogue import Catalogue
from worker.adapters.features.embedded.database import Database


class Known:
    """A cached catalogue; safe to share between threads, for it is only ever replaced as a whole.

    Attributes:
        seen: what was last seen; every use checks the epoch in the transaction that it rests on.
    """

    def __init__(self, database: Database) -> None:
        """Nothing is known yet."""
        self._database = database
        self.seen: Catalogue = catalogue.NOTHING

    def refreshed(self) -> Catalogue:
        """Return the catalogue as it is now; the very one that was seen if nothing changed."""
        with self._database.reading() as connection:
            self.seen = catalogue.current(connection, self.seen)
            return self.seen

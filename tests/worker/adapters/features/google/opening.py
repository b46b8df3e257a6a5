"""Opens the Google feature store for a test, over DuckDB; stores of one directory share one database."""

from pathlib import Path
from weakref import WeakValueDictionary

from tests.worker.adapters.features.google.duck import DuckDatabase, DuckWarehouse
from worker.adapters.features.google.sql.tables import create_kept
from worker.adapters.features.google.store import GoogleFeatureStore
from worker.clock import Clock

#: Lives as long as a store uses it.
_DATABASES: WeakValueDictionary[Path, DuckDatabase] = WeakValueDictionary()


def database(directory: Path) -> DuckDatabase:
    """Return the database that stands for the data set of a directory, with its tables."""
    made = _DATABASES.get(directory)
    if made is None:
        made = _DATABASES[directory] = DuckDatabase()
        DuckWarehouse(made).alter(create_kept(DuckWarehouse(made).name))
    return made


def google_store(directory: Path, clock: Clock) -> GoogleFeatureStore:
    """Return a store over the directory's database."""
    return GoogleFeatureStore(DuckWarehouse(database(directory)), clock)

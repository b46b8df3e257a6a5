"""The parts of the embedded feature store: one SQLite file that many processes of one machine share."""

"""The older part of the embedded store's log: sorted immutable files, each of one feature, read through memory maps."""

"""How much one call may ask of the feature store; each error names the limit that it met."""

MEBIBYTE = 1_048_576
#: Entities × features of one online read: its answer has at most some 10 MB.
MAX_BATCH_VALUES = 100_000
#: An online read of more values than these leaves the event loop to the others meanwhile.
MAX_VALUES_AT_ONCE = 500
#: Rows of a training table that are answered as one JSON document; more of them stream.
MAX_PAGE_ROWS = 10_000
#: Rows × features of one training table.
MAX_TRAINING_VALUES = 10_000_000
#: Bodies that may be larger than others: path → bytes.
BODIES = {
    "/api/mlops/features/store": 16 * MEBIBYTE,
    "/api/mlops/features/training": 16 * MEBIBYTE,
}

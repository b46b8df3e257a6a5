"""The drift-response worker: from a `model.evaluated` event to a better model in production."""

"""The model server of a Vertex endpoint: one model, loaded once, behind the routes that Vertex AI names."""

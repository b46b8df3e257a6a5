"""Looking after the embedded store: what is in it, whether it is whole, and what must go."""

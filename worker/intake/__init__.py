"""Messages in: envelope, once per (source, id), and a verdict for each."""

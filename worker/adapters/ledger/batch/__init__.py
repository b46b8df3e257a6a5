"""One transaction for many events: what deciding needs is read at once, kept here, and written together at the end."""

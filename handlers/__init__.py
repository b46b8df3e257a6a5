"""One small file per thing the system reacts to: events, commands, HTTP resources."""

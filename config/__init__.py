"""What an operator edits, and its typed readers: environment (settings) and YAML (schema)."""

"""The incident, a pure state machine: one continuous episode of a bee's model being bad."""

"""The commands: each in a module of its own, loaded only when it is called, so that `colony --help` is instant."""

"""The real parts that tests may ask for by a fixture's name, wherever they stand."""

pytest_plugins = ["tests.chat_server", "tests.emulators", "tests.disks", "tests.postgres"]

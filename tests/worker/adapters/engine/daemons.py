"""Steps that send a process away, as programs do that put themselves into the background."""

from pathlib import Path


def daemon(file: Path) -> str:
    """Return code that leaves a grandchild in a session of its own, whose number it writes into a file."""
    return (
        "if (child := os.fork()) == 0:\n"
        "    os.setsid()\n"
        "    if (grandchild := os.fork()) == 0:\n"
        "        signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)\n"
        f"    Path(r'{file}.part').write_text(str(grandchild)); Path(r'{file}.part').rename(r'{file}'); os._exit(0)\n"
        "os.waitpid(child, 0)\n"
    )

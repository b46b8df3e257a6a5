"""pytest plugin: a private PostgreSQL from this machine's own binaries, and a fresh database for each test."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.emulators import absent, await_port, end_group, free_port

USER, PASSWORD = "colony", "s3cret-P4ssw0rd"
_DEBIAN = Path("/usr/lib/postgresql")
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
}


class PostgresServer:
    """A server in its own folder; PostgreSQL refuses to run as root, so then it runs as a system user."""

    def __init__(self, binaries: Path, folder: Path, account: str | None) -> None:
        """Make the cluster; `account` is the system user to run as, None for our own."""
        self._binaries = binaries
        self._folder = folder
        self._account = account
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if account:
            shutil.chown(folder, account)
            shutil.chown(secret, account)
        options = ["-U", USER, "--auth=scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--no-locale", "--no-sync"]
        command = [str(binaries / "initdb"), "-D", str(self._data), *options]
        made = subprocess.run(command, user=account, cwd=folder, capture_output=True, check=False)
        if made.returncode:
            pytest.fail(f"initdb: {made.stderr.decode(errors='replace')[-2000:]}")

    def url(self, database: str = "postgres") -> str:
        """Return a database's URL, its password in it."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        settings = [part for name, value in _OPTIONS.items() for part in ("-c", f"{name}={value}")]
        log = self._folder / "server.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(self._binaries / "postgres"), "-D", str(self._data), "-p", str(self.port), *settings],
                user=self._account,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        await_port(self.port, self._process, log)
        self._await_ready()

    def _await_ready(self) -> None:
        """Wait until it lets in: it listens before it has recovered from its last end."""
        end = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Stop at once: open transactions are lost, as when a machine goes away."""
        if self._process:
            self._process.send_signal(2)  # SIGINT: PostgreSQL's fast shutdown
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                end_group(self._process)
            self._process = None

    def fresh(self, template: str = "template1") -> str:
        """Return the URL of a new database: empty, or a copy of one that nobody is connected to."""
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")  # type: ignore[arg-type]
        return self.url(name)


@pytest.fixture(name="postgres_server", scope="session")
def _postgres_server() -> Iterator[PostgresServer]:
    """Give the session's server; a test that stops it starts it again."""
    binaries = find_binaries()
    account = unprivileged()
    if binaries is None:
        absent("PostgreSQL's programs (initdb, postgres) are not on this machine")
    elif os.geteuid() == 0 and account is None:
        absent("PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as")
    else:
        folder = Path(tempfile.mkdtemp(prefix="colony-postgres-"))
        server = PostgresServer(binaries, folder, account)
        try:
            server.start()
            yield server
        finally:
            server.stop()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(name="postgres_url")
def _postgres_url(postgres_server: PostgresServer) -> str:
    """Give the URL of a fresh database."""
    return postgres_server.fresh()


def find_binaries() -> Path | None:
    """Return the folder of initdb and postgres: on the path, where pg_config says, or Debian's; the newest."""
    folders = [Path(found).parent for name in ("postgres", "initdb") if (found := shutil.which(name))]
    if shutil.which("pg_config"):
        said = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=False).stdout.strip()
        folders += [Path(said)] if said else []
    numbered = [folder for folder in _DEBIAN.glob("*/bin") if folder.parent.name.isdecimal()]
    folders += sorted(numbered, key=lambda folder: int(folder.parent.name), reverse=True)
    return next((folder for folder in folders if all((folder / it).exists() for it in ("initdb", "postgres"))), None)


def unprivileged() -> str | None:
    """Return the system user to run as when we are root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in known), None)

"""A PostgreSQL server of the tests' own, started and stopped by them."""

import glob
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

#: Quotes and blanks, which a password may hold, and no file of ours.
PASSWORD = "nightingale's \\ pass word"


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server that nothing else knows, reached through a socket."""

    binaries: Path
    folder: Path

    def run(self, program: str, *arguments, **options) -> None:
        # PostgreSQL refuses to run as root
        identity = {"user": "postgres", "group": "postgres", "extra_groups": []}
        finished = subprocess.run(
            [self.binaries / program, *arguments],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,  # a pipe would wait for the server's end
            stderr=subprocess.DEVNULL,
            **(identity if os.geteuid() == 0 else {}),
            **options,
        )
        log = self.folder / "log"
        assert finished.returncode == 0, log.read_text() if log.exists() else program

    def execute(self, statements: str, database: str) -> None:
        """Run statements as the owner of everything."""
        self.run(
            *self.psql("owner", database),
            input=statements.encode(),
            env={"PGPASSWORD": PASSWORD},
        )

    def psql(self, user: str, database: str, *options: str) -> list[str]:
        """Program and arguments of the client; the password is the environment's."""
        return [
            "psql",
            *["--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--host={self.folder}"],
            *[f"--username={user}", f"--dbname={database}", *options],
        ]

    def ask(self, query: str, database: str, user: str = "owner") -> str:
        """Answer of a query as psql prints it, a line per row, `|` between values."""
        finished = subprocess.run(
            [
                self.binaries / "psql",
                *self.psql(user, database, "--no-align", "--tuples-only")[1:],
            ],
            input=query.encode(),
            capture_output=True,
            env={"PGPASSWORD": PASSWORD, "PGCLIENTENCODING": "UTF8"},
        )
        assert finished.returncode == 0, finished.stderr.decode()
        return finished.stdout.decode().removesuffix("\n")


def skip_or_fail(missing: str) -> None:
    """Skip where a part is missing, but never in continuous integration."""
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


def server_binaries() -> Path:
    found = [shutil.which("initdb"), *glob.glob("/usr/lib/postgresql/*/bin/initdb")]
    found = [Path(path).resolve().parent for path in found if path]
    if not found:
        skip_or_fail("no PostgreSQL server here: apt-get install postgresql")
    return found[-1]


@contextmanager
def running_server() -> Iterator[Server]:
    """Make a server, and stop and remove it afterwards."""
    binaries = server_binaries()
    # short, for the path of a socket has an end, and not below pytest's own folder,
    # which another user may not enter
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = Server(binaries, folder)
    try:
        (folder / "password").write_text(PASSWORD)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
            shutil.chown(folder / "password", "postgres")
        server.run(
            "initdb",
            *["--pgdata=data", "--username=owner", "--pwfile=password", "--no-sync"],
            *["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"],
        )
        settings = f"-c listen_addresses='' -c fsync=off -k {folder}"
        server.run(
            "pg_ctl", "start", "-w", "--pgdata=data", "--log=log", "-o", settings
        )
        try:
            yield server
        finally:
            server.run("pg_ctl", "stop", "-w", "--pgdata=data", "--mode=immediate")
    finally:
        shutil.rmtree(folder)

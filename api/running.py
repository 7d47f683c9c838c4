"""Running everything of one data folder, from what must be true before to what is told after."""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import click

from api.datafolder import held
from api.own_servers import shown
from api.parts import MUSTER, STOPPING, Parts
from api.ports import free_port, taken
from api.processes import CannotStart
from api.supervisor import GaveUp, Supervisor
from settings import SettingsRefused

__all__ = ["run"]


def run(
    data: Path, host: str, port: int, environ: Mapping[str, str], *, as_json: bool, muster: Sequence[str] = MUSTER
) -> int:
    """Keep everything running until it is asked to stop or something keeps failing; the exit code of `muster up`.

    `muster` is the command that migrates, and runs the API and the worker.
    """
    try:
        with held(data) as folder:
            port = _api_port(host, port)
            parts = Parts(folder, environ, host, port, muster)
            folder.sign(parts.api)
            asyncio.run(_run(parts, as_json=as_json))
    except (CannotStart, SettingsRefused) as refusal:
        tell(f"muster up: {refusal}")
        return 2
    except OSError as error:
        tell(f"muster up: the system does not allow it: {error}")
        return 2
    except GaveUp as failure:
        tell(f"muster up: {failure}")
        return 1
    except KeyboardInterrupt:  # before there was anything to stop
        return 0
    return 0


async def _run(parts: Parts, *, as_json: bool) -> None:
    supervisor = Supervisor(tell, STOPPING)

    async def story() -> None:
        tell(f"Starting, with the data folder {parts.folder.path}.")
        admin_signup = await parts.start(supervisor)
        parts.folder.keep_environment(parts.chosen)
        pids = {"up": os.getpid()} | supervisor.pids
        with suppress(OSError):  # whoever was to read it has gone
            click.echo(_as_json(parts, admin_signup, pids) if as_json else _in_words(parts, admin_signup))

    await supervisor.run(story())
    tell("Everything has stopped.")


def tell(what: str) -> None:
    """Say something to whoever watches; nobody may be there any more."""
    with suppress(OSError):
        click.echo(what, err=True)


def _as_json(parts: Parts, admin_signup: str | None, pids: Mapping[str, int]) -> str:
    order = ["up", *reversed([name for group in STOPPING for name in reversed(group)])]
    return json.dumps(
        {
            "api": parts.api,
            "docs": f"{parts.api}/docs",
            "database": parts.settings.database_url,
            "redis": parts.settings.redis_url,
            "smtp": parts.settings.smtp_url,
            "mail": str(parts.maildir) if parts.maildir else None,
            "admin_signup": admin_signup,
            "pids": {name: pids[name] for name in order if name in pids},
        }
    )


def _in_words(parts: Parts, admin_signup: str | None) -> str:
    settings, folder = parts.settings, parts.folder
    rows = [
        ("API", parts.api),
        ("Docs", f"{parts.api}/docs"),
        ("Mail", f"{parts.maildir}/new" if parts.maildir else "goes out through the SMTP server"),
        ("SMTP", shown(settings.smtp_url)),
        ("Database", settings.database_url if parts.postgres else shown(settings.database_url)),
        ("Redis", settings.redis_url if parts.valkey else shown(settings.redis_url)),
        ("Data folder", str(folder.path)),
        ("Logs", str(folder.logs)),
    ]
    lines = ["", "Muster is running.", "", *(f"  {name:<13}{where}" for name, where in rows)]
    if admin_signup:
        lines += ["", "  The first administrator signs up here, once:", f"  {admin_signup}"]
    return "\n".join([*lines, "", "Ctrl-C stops everything."])


def _api_port(host: str, port: int) -> int:
    try:
        if port == 0:
            return free_port(host=host)
        if not taken(host, port):
            return port
    except PermissionError:
        raise CannotStart(
            f"Port {port} is for root only: choose one from 1024 on with --port or MUSTER_PORT."
        ) from None
    except OSError as error:
        raise CannotStart(
            f"The API cannot listen on {host} ({error.strerror}): --host or MUSTER_HOST must be an address of this "
            "machine, such as 127.0.0.1, or 0.0.0.0 for all of them."
        ) from None
    raise CannotStart(
        f"Port {port} on {host} is taken by another program. Choose another with --port or MUSTER_PORT (0 takes a free "
        "one), or stop that program."
    )

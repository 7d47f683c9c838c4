"""`muster up`: everything that Muster needs, started with one command and stopped with one."""

import os
import sys
from pathlib import Path

import click
from msgspec.structs import fields

from settings import Settings

__all__ = ["up"]

HELP = """Start everything that Muster needs, and keep it running until Ctrl-C.

With no settings at all this is a PostgreSQL 18, a Valkey (it speaks Redis), an SMTP server that keeps the mail
for you to read, the API and a worker. What dies is started again, and the reason is told; what keeps dying stops
everything. Ctrl-C or SIGTERM stops every process.

\b
Data folder
  --data or MUSTER_DATA; .muster where you are, when neither is given. It
  holds the database, the queue, the mail, the logs and secrets.json: the
  keys and passwords made for this folder. Keep that file: without it, the
  personal data in the database can be read by nobody, ever. Remove the
  folder to start afresh. One `muster up` uses a folder at a time.

\b
Ports
  --port or MUSTER_PORT is the API's; 0 takes a free one. The other servers
  listen on 127.0.0.1 only, with passwords, on free ports that are kept from
  one start to the next. --host or MUSTER_HOST lets other machines reach
  the API (0.0.0.0); set MUSTER_BASE_URL to the address that they use.

\b
Your own servers
  MUSTER_DATABASE_URL  PostgreSQL 15 to 18, as the owner of its database with
                       the right to make roles:
                       postgresql://OWNER:PASSWORD@HOST:PORT/DATABASE
  MUSTER_REDIS_URL     Redis 7 or newer, or Valkey:
                       redis://:PASSWORD@HOST:PORT/0
  MUSTER_SMTP_URL      where mail is handed in: smtp://USER:PASSWORD@HOST:PORT
  Each one that is set is used in place of the one that would be started.
  Then MUSTER_MASTER_KEY and MUSTER_SECRET belong to that database: unless
  you set them, those in the data folder's secrets.json are used.

Every other MUSTER_ variable is passed on to the API and the worker; the documentation lists them all.

Exit codes: 0 stopped as asked, 1 something keeps failing, 2 something must be changed first (it says what).
"""


def _default(field: str) -> str:
    return str(next(f.default for f in fields(Settings) if f.name == field))


@click.command("up", help=HELP)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    envvar="MUSTER_PORT",
    default=_default("port"),
    show_default=True,
    help="The API's port; 0 takes a free one.",
)
@click.option(
    "--host",
    envvar="MUSTER_HOST",
    default=_default("host"),
    show_default=True,
    help="The address on which the API listens.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="MUSTER_DATA",
    default=_default("data"),
    show_default=True,
    help="The data folder; made when it is not there.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Once everything is ready, print one line of JSON: api, docs, database, redis, smtp, mail (a Maildir, or null), "
    "admin_signup (a link, or null), pids (name to process id). Everything else goes to standard error.",
)
def up(port: int, host: str, data: Path, *, as_json: bool) -> None:
    """Start everything, and stay until it is to end."""
    if sys.platform == "win32":
        click.echo("muster up: Muster runs on Linux and macOS. On Windows, run it in WSL.", err=True)
        sys.exit(2)
    from api.running import run

    sys.exit(run(data, host, port, os.environ, as_json=as_json))

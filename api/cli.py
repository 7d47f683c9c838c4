"""The `muster` command. What a command needs is imported when it runs, so that `--help` is there at once."""

import asyncio
import atexit
import base64
import gc
import secrets
import sys
from typing import NoReturn

import click
import msgspec

from api.analytics_commands import analytics
from api.backup_command import backup
from api.claim_commands import claims
from api.delivery_commands import deliveries
from api.erase_command import erase
from api.export_command import export
from api.import_command import import_users
from api.key_commands import keys
from api.projection_commands import projections
from api.service_account_commands import service_accounts
from api.session_commands import sessions
from api.up import up
from api.user_commands import users
from settings import Settings, SettingsRefused, load

__all__ = ["main"]

HELP = """An event-sourced registry of users.

It registers people, signs them in, and can prove afterwards who changed what, when and why.

\b
On one machine, with nothing prepared:   muster up
With your own PostgreSQL, Redis, SMTP:   muster migrate, then muster api
                                         and muster worker, as many of each
                                         as you like

Settings are environment variables whose names begin with MUSTER_; the documentation lists them all, and a command that
misses some says which.

Exit codes: 0 done, 1 something failed, 2 something must be changed first (it says what).
"""


@click.group(help=HELP)
@click.version_option(package_name="muster", message="%(version)s")
def main() -> None:
    """Muster's one command."""
    atexit.register(
        gc.freeze
    )  # Python would look through all that was imported for cycles, for longer than most commands take


for command in (
    *(up, users, service_accounts, sessions, projections, deliveries, keys, claims, analytics),
    *(export, import_users, erase, backup),
):
    main.add_command(command)


@main.command()
def api() -> None:
    """Run one API process.

    It listens on MUSTER_HOST and MUSTER_PORT and speaks plain HTTP: put a proxy that speaks TLS in front of it and name
    that proxy in MUSTER_TRUSTED_PROXIES. It reaches the database as its writer and reader roles, so MUSTER_DATABASE_URL
    needs no user and no password. SIGTERM lets it finish what it has taken.
    """
    settings = _settings()
    from api.server import serve

    sys.exit(serve(settings))


@main.command()
def worker() -> None:
    """Run one worker process.

    Workers fold the log into the views that queries read and send the mail that it calls for. Start as many as you like
    and stop them as you like: the database holds what they have done. SIGTERM lets one finish what it has begun.
    """
    settings = _settings()
    from projections.worker import main as work

    work(settings)


@main.command()
@click.option("--json", "as_json", is_flag=True, help='Print {"admin_signup": URL or null} as the last line.')
def migrate(*, as_json: bool) -> None:
    """Bring the database up to date, from nothing or from any earlier version.

    Run it before the API and the workers of a new version; it is safe to repeat and to run twice at once. It needs
    MUSTER_DATABASE_URL as the owner of the database, who may make roles; nothing else ever does.

    It makes the tables, the roles and a key that signs access tokens, and prints the link with which the first
    administrator signs up, the same one each time until it was used. Whoever has that link runs the registry: hand it
    on with care.
    """
    settings = _settings()
    from api.migrating import migrated, sign_up_link
    from events.connections import TROUBLE

    try:
        token = asyncio.run(migrated(settings))
    except TROUBLE as error:
        click.echo(f"muster migrate: the database does not take it: {error or type(error).__name__}", err=True)
        sys.exit(1)
    link = sign_up_link(settings.base_url, token) if token else None
    if as_json:
        click.echo(msgspec.json.encode({"admin_signup": link}))
    else:
        click.echo("The database is up to date.")
        if link:
            click.echo(f"The first administrator signs up here, once:\n{link}")


@main.command()
def secret() -> None:
    """Print 32 fresh random bytes in base64url, as MUSTER_MASTER_KEY and MUSTER_SECRET want them.

    Make one for each. Nothing is kept: whoever loses the master key has lost all personal data in the database.
    """
    click.echo(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("="))


def _settings() -> Settings:
    try:
        return load()
    except SettingsRefused as refusal:
        _refuse(str(refusal))


def _refuse(reason: str) -> NoReturn:
    click.echo(reason, err=True)
    sys.exit(2)


if __name__ == "__main__":
    main(prog_name="muster")

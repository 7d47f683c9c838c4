"""The database roles: an owner who migrates, a writer, a reader and a projector who may do one thing each, and analysts."""

import hmac
from importlib.resources import files
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from events.keys import derived

__all__ = ["ANALYSTS", "ROLES", "ensure_roles", "role_names", "role_url", "script"]

ANALYSTS: Final = ("analyst", "analyst_personal")
"""People and their tools, who read the schema `analytics` and nothing else; the second one what is personal in it, too."""

ROLES: Final = ("writer", "reader", "projector", *ANALYSTS)

_HABITS: Final = (
    "SET search_path = analytics",
    "SET default_transaction_read_only = on",
    "SET statement_timeout = '5min'",
    "SET idle_in_transaction_session_timeout = '1min'",
    "SET TimeZone = 'UTC'",
    "CONNECTION LIMIT 10",
)
"""What an analyst's role begins with. An operator may change it: a role that has settings keeps them."""


def role_names(database: str) -> dict[str, str]:
    """The names of the roles for one database, quoted: roles belong to the cluster, so they carry its name."""
    return {role: '"' + f"{database}_{role}".replace('"', '""') + '"' for role in ROLES}


def _password(secret: bytes, database: str, role: str) -> str:
    return hmac.digest(derived(secret, "database roles"), f"{database}/{role}".encode(), "sha256").hex()


def role_url(database_url: str, role: str, secret: bytes) -> str:
    """The database's URL with a role of ours and its password in place of whatever user it named."""
    parts = urlsplit(database_url)
    database = parts.path.lstrip("/")
    host = parts.netloc.rpartition("@")[2]
    user = quote(f"{database}_{role}", safe="")
    return urlunsplit(parts._replace(netloc=f"{user}:{_password(secret, database, role)}@{host}"))


async def ensure_roles(connection: asyncpg.Connection, database: str, secret: bytes) -> None:
    """Make the roles where they are missing, give them their passwords and their rights on the database. Safe to repeat.

    The connection's user needs CREATEROLE, and owns the database.
    """
    for role, name in role_names(database).items():
        plain = f"{database}_{role}"
        if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", plain):
            await connection.execute(f"CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE")
        if role in ANALYSTS and not await _has_settings(connection, plain):
            for habit in _HABITS:
                await connection.execute(f"ALTER ROLE {name} {habit}")
        await connection.execute(f"ALTER ROLE {name} PASSWORD '{_password(secret, database, role)}'")
        await connection.execute(f'GRANT CONNECT ON DATABASE "{database}" TO {name}')
    # Analysts make nothing, not even tables that go with the session: these would fill the disk. Here and not in a
    # migration, because neither a copy of a database nor a dump has the rights on the database itself.
    await connection.execute(f'REVOKE TEMPORARY ON DATABASE "{database}" FROM PUBLIC')
    await connection.execute(f'GRANT TEMPORARY ON DATABASE "{database}" TO {role_names(database)["projector"]}')


async def _has_settings(connection: asyncpg.Connection, role: str) -> bool:
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_db_role_setting WHERE setrole = (SELECT oid FROM pg_roles WHERE rolname = $1))",
        role,
    )
    return found


def script(name: str, **names: str) -> str:
    """The text of an SQL file of a migration, with the roles' names put in."""
    text = files("events.migrations").joinpath("sql", name).read_text("utf-8")
    for role, quoted in names.items():
        text = text.replace("{" + role + "}", quoted)
    return text

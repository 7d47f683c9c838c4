"""Users and a view of them, as the documentation of `eventsourcing` has projections written.

An application with aggregates, a view that is a Postgres tracking recorder, which writes a row and the tracking of its
event in one transaction by psycopg, and a projection that dispatches on the type of the event, run by `ProjectionRunner`.
The aggregates' events are encrypted by the library's own AES cipher, under one key for everyone. psycopg is what the
library's extra `postgres` installs.
"""

from typing import Any, Final
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.cryptography import AESCipher
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection
from psycopg.sql import SQL, Identifier

from tests.library import library_settings

__all__ = ["Person", "Users", "UsersProjection", "UsersView", "environment"]


class Person(Aggregate):
    """A user."""

    class Registered(Aggregate.Created):
        email: str
        display_name: str
        locale: str

    class Verified(Aggregate.Event):
        pass

    class Renamed(Aggregate.Event):
        display_name: str

    class Relocated(Aggregate.Event):
        locale: str

    class Rescheduled(Aggregate.Event):
        time_zone: str

    @event(Registered)
    def __init__(self, email: str, display_name: str, locale: str) -> None:
        self.email = email
        self.display_name = display_name
        self.locale = locale
        self.email_verified = False
        self.time_zone = ""

    @event(Verified)
    def verify(self) -> None:
        self.email_verified = True

    @event(Renamed)
    def rename(self, display_name: str) -> None:
        self.display_name = display_name

    @event(Relocated)
    def speak(self, locale: str) -> None:
        self.locale = locale

    @event(Rescheduled)
    def live_by(self, time_zone: str) -> None:
        self.time_zone = time_zone


class Users(Application[UUID]):
    """Everyone."""

    name = "users"


class UsersView(PostgresTrackingRecorder):
    """One row for each user."""

    def __init__(self, datastore: PostgresDatastore, *, users_table_name: str = "users_view", **options: Any) -> None:
        super().__init__(datastore, **options)
        self.check_identifier_length(users_table_name)
        table = SQL("{0}.{1}").format(Identifier(datastore.schema), Identifier(users_table_name))
        self.sql_create_statements.append(
            SQL(
                "CREATE TABLE IF NOT EXISTS {0} (id uuid PRIMARY KEY, email text NOT NULL, email_verified boolean NOT NULL, "
                "display_name text, locale text, time_zone text, registered_at timestamptz NOT NULL, "
                "updated_at timestamptz NOT NULL, version bigint NOT NULL)"
            ).format(table)
        )
        self._insert = SQL("INSERT INTO {0} VALUES (%s, %s, false, %s, %s, NULL, %s, %s, %s)").format(table)
        self._change = {
            column: SQL("UPDATE {0} SET {1} = %s, updated_at = %s, version = %s WHERE id = %s").format(
                table, Identifier(column)
            )
            for column in ("email_verified", "display_name", "locale", "time_zone")
        }

    def add(self, tracking: Tracking, event: Person.Registered) -> None:
        """Write the row of someone new, with the tracking."""
        given = (event.email, event.display_name, event.locale, event.timestamp, event.timestamp)
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(self._insert, (event.originator_id, *given, event.originator_version), prepare=True)

    def change(self, tracking: Tracking, event: Person.Event, column: str, value: Any) -> None:
        """Change a column, with the tracking."""
        given = (value, event.timestamp, event.originator_version, event.originator_id)
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(self._change[column], given, prepare=True)


class UsersProjection(Projection[UsersView]):
    """Keeps the view."""

    name = "users_projection"

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        raise TypeError(type(domain_event))

    @process_event.register
    def registered(self, event: Person.Registered, tracking: Tracking) -> None:
        self.view.add(tracking, event)

    @process_event.register
    def verified(self, event: Person.Verified, tracking: Tracking) -> None:
        self.view.change(tracking, event, "email_verified", True)

    @process_event.register
    def renamed(self, event: Person.Renamed, tracking: Tracking) -> None:
        self.view.change(tracking, event, "display_name", event.display_name)

    @process_event.register
    def relocated(self, event: Person.Relocated, tracking: Tracking) -> None:
        self.view.change(tracking, event, "locale", event.locale)

    @process_event.register
    def rescheduled(self, event: Person.Rescheduled, tracking: Tracking) -> None:
        self.view.change(tracking, event, "time_zone", event.time_zone)


KEY: Final = AESCipher.create_key(32)


def environment(url: str, key: str = KEY) -> dict[str, str]:
    """The library's settings for a database, with its cipher on."""
    return library_settings(url) | {
        "CIPHER_TOPIC": "eventsourcing.cryptography:AESCipher",
        "CIPHER_KEY": key,
    }

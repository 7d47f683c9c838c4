"""Given events, then names."""

from datetime import timedelta
from typing import Any

from events.personal import FORGOTTEN
from events.user import (
    DisplayNameChanged,
    EmailChanged,
    EmailChangeUndone,
    RegistrationLapsed,
    RegistrationSuperseded,
    UserImported,
    UserRegistered,
)
from projections.user_names import MOST_SORTED, UserNamesRow, evolve
from tests.support import NOON, History

registered = UserRegistered("Ada@Example.com", "Ada LOVELACE", "en")


def row_of(*events, history: History | None = None) -> Any:
    row: UserNamesRow | None = None
    for recorded in (history or History()).of(*events):
        row = evolve(row, recorded)
    return row


def test_a_registration_tells_name_and_address():
    history = History()
    assert row_of(registered, history=history) == UserNamesRow(
        id=history.stream_id,
        registered_at=NOON + timedelta(minutes=1),
        name="ada lovelace",
        sought="\n ada lovelace\n ada@example.com",
    )


def test_so_does_an_import_and_it_stands_where_they_registered():
    long_ago = NOON - timedelta(days=900)
    imported = row_of(UserImported("Ada@Example.com", True, "Ada LOVELACE", registered_at=long_ago))
    assert (imported.name, imported.sought) == ("ada lovelace", "\n ada lovelace\n ada@example.com")
    assert imported.registered_at == long_ago
    assert row_of(UserImported("ada@example.com", False)).registered_at == NOON + timedelta(minutes=1)
    assert row_of(UserImported(FORGOTTEN, True, FORGOTTEN, registered_at=long_ago)) is None


def test_who_has_no_name_is_found_by_the_address_alone():
    row = row_of(UserRegistered("ada@example.com"))
    assert (row.name, row.sought) == (None, "\n \n ada@example.com")


def test_name_and_address_change_apart():
    row = row_of(registered, DisplayNameChanged("Countess"), EmailChanged("Countess@example.org"))
    assert (row.name, row.sought) == ("countess", "\n countess\n countess@example.org")
    row = row_of(
        registered, EmailChanged("b@example.org"), DisplayNameChanged(None), EmailChangeUndone("a@example.org")
    )
    assert (row.name, row.sought) == (None, "\n \n a@example.org")


def test_a_long_name_is_sorted_by_its_beginning_and_found_by_all_of_it():
    row = row_of(UserRegistered("ada@example.com", "\ufdfa" * 100))
    assert len(row.name) == MOST_SORTED
    assert len(row.sought) > 1_000


def test_a_registration_that_is_over_is_gone_whatever_follows():
    for over in (RegistrationSuperseded(History().stream_id), RegistrationLapsed()):
        assert row_of(registered, over) is None
        assert row_of(registered, over, DisplayNameChanged("Ada"), EmailChanged("a@example.com"), over) is None


def test_someone_forgotten_is_gone_wherever_the_forgetting_shows():
    for forgotten in (
        [UserRegistered(FORGOTTEN, FORGOTTEN, FORGOTTEN)],
        [registered, DisplayNameChanged(FORGOTTEN)],
        [registered, EmailChanged(FORGOTTEN)],
        [registered, EmailChangeUndone(FORGOTTEN), DisplayNameChanged("Ada")],
    ):
        assert row_of(*forgotten) is None

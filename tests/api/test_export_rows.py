"""What is written of a user is what makes the same user."""

from datetime import UTC, datetime
from unicodedata import normalize

from hypothesis import given
from hypothesis import strategies as st

from api.export_rows import line_of
from api.import_rows import command_of, row_of
from commands.addresses import address
from commands.import_user import ImportUser
from projections.users import evolve
from queries.user_exports import ExportedUser
from tests.support import NOON, History

LATE = datetime(2999, 1, 1, tzinfo=UTC)
letters = st.characters(categories=("L", "N", "P", "S"))


def text(least: int, most: int) -> st.SearchStrategy[str]:
    """As bodies are read: in NFC."""
    return st.text(letters, min_size=least, max_size=most).map(lambda given: normalize("NFC", given))


json = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e6, 1e6) | text(0, 5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text(1, 5), inner, max_size=3),
    max_leaves=5,
)
entries = st.none() | st.dictionaries(text(1, 9), json, max_size=4)
people = st.builds(
    ImportUser,
    email=st.sampled_from(
        [
            "ada@example.com",
            "Ada.L+x@Example.COM",
            "caf\u00e9@b\u00fccher.example",
            "\u30a2@xn--bcher-kva.example",
            "o'neil@example.com",
        ]
    ),
    email_verified=st.booleans(),
    external_id=st.none() | text(1, 20),
    display_name=st.none() | text(1, 20),
    locale=st.none() | st.sampled_from(["EN", "en-gb", "zh-hant-tw"]),
    time_zone=st.none() | st.sampled_from(["europe/london", "UTC"]),
    picture_url=st.none() | st.just("https://example.com/a.png?b=c#d"),
    own=entries,
    admin=entries,
    registered_at=st.integers(1, 32_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds + 0.123456, UTC)),
)


@given(people)
def test_a_row_of_someone_is_the_row_that_makes_them(person):
    told = person.told(address(person.email), LATE)
    (recorded,) = History().of(told)
    row = evolve(None, recorded)
    assert row is not None
    external_id = told.external_id if isinstance(told.external_id, str) else None
    line = line_of(ExportedUser(row, external_id))
    _, read = row_of(line)
    again = command_of(read)
    assert again.told(address(again.email), LATE) == told
    assert again.id == recorded.stream_id


def test_what_is_not_so_or_not_there_is_left_out():
    (recorded,) = History().of(ImportUser(email="ada@example.com").told(address("ada@example.com"), NOON))
    row = evolve(None, recorded)
    assert row is not None
    line = line_of(ExportedUser(row, None)).decode()
    assert line == (
        f'{{"id":"{recorded.stream_id}","email":"ada@example.com","registered_at":"2026-03-01T12:01:00Z"}}\n'
    )

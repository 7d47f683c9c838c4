"""Lists of users, asked with the reader's rights: those of the log's history whom a fold in memory would list."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from events.connections import open_pool
from events.session import SessionStarted
from events.user import (
    DisplayNameChanged,
    EmailVerified,
    RegistrationSuperseded,
    RoleGranted,
    UserLocked,
    UserRegistered,
    UserSuspended,
)
from projections.plain_text import plain
from projections.user_names import USER_NAMES
from projections.users import USERS
from queries.user_filters import PART, SORTS, UserFilters, found_by
from queries.user_lists import PLANNED_FOR_WHAT_IS_ASKED, UserPage, _one_moment, users
from queries.user_statements import counted, gathered, straight, walked
from queries.users import UserView
from tests.projections.conftest import View
from tests.projections.log import Log
from tests.support import NOON

NAMES = [
    None,
    "Ada Lovelace",
    "ada",
    "Élodie Ångström",
    "100%_sure\\",
    "Zoë",
    "İnci",
    "Ada",
    "李明",
    "Bob  O'Neil",
    "Ødegård",
]


EVERYONE = UserFilters()


class Lists:
    """The two views that lists are made from, moved by hand."""

    def __init__(self, views: list[View]) -> None:
        self.views = views

    async def catch_up(self) -> None:
        """Bring both to the log's end."""
        for view in self.views:
            await view.catch_up()


@pytest.fixture
async def lists(database, connection) -> Lists:
    views = [View(database, connection) for _ in range(2)]
    await views[0].set_up(USERS)
    await views[1].set_up(USER_NAMES)
    return Lists(views)


async def registered(log: Log, number: int, name: str | None = None) -> list[Any]:
    people = [uuid7() for _ in range(number)]
    for place, person in enumerate(people):
        await log.add(person, UserRegistered(f"u{place}@example.com", name))
    return people


async def everyone(reader: Any, filters: UserFilters = EVERYONE, **asked: Any) -> list[UserView]:
    """Page by page."""
    page = await users(reader, filters, **asked)
    found = page.items
    while page.next:
        page = await users(reader, filters, after=page.next, **asked)
        found += page.items
    return found


async def test_pages_from_the_newest_to_the_oldest(log, lists, reader_pool):
    people = await registered(log, 7)
    await lists.catch_up()
    seen, after, pages = [], None, 0
    while pages == 0 or after:
        page = await users(reader_pool, after=after, limit=3)
        seen += [user.id for user in page.items]
        after, pages = page.next, pages + 1
        assert page.position == 7
    assert (seen, pages) == (people[::-1], 3)


@pytest.mark.parametrize("sort", SORTS)
async def test_a_page_neither_repeats_nor_skips_when_others_register_or_leave_meanwhile(log, lists, reader_pool, sort):
    people = await registered(log, 6, "Ada")
    for person in people:
        await log.add_to_session(person, uuid7(), SessionStarted(person, "password"))
    await lists.catch_up()
    first = await users(reader_pool, sort=sort, limit=3)
    before, between = (people[3:][::-1], people[0]) if sort.startswith("-") else (people[:3], people[5])
    assert [user.id for user in first.items] == before
    await registered(log, 2, "Zoë" if sort.startswith("-") else "A")
    await log.add(first.items[-1].id, RegistrationSuperseded(people[0]))
    await log.add(between, EmailVerified())
    await lists.catch_up()
    second = await users(reader_pool, sort=sort, after=first.next, limit=3)
    after = people[:3][::-1] if sort.startswith("-") else people[3:]
    assert [user.id for user in second.items] == after


async def test_a_page_that_ends_exactly_with_the_list_is_the_last(log, lists, reader_pool):
    await registered(log, 4)
    await lists.catch_up()
    page = await users(reader_pool, limit=2)
    page = await users(reader_pool, after=page.next, limit=2)
    assert (len(page.items), page.next) == (2, None)


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (-5, 1), (10**9, 3)])
async def test_a_limit_is_brought_within_bounds(log, lists, reader_pool, asked, given):
    await registered(log, 3)
    await lists.catch_up()
    assert len((await users(reader_pool, limit=asked)).items) == given


async def test_empty_views_have_nobody(lists, reader_pool):
    assert await users(reader_pool) == UserPage([], None, 0)
    assert await users(reader_pool, sort="name", count=True) == UserPage([], None, 0, 0)


async def test_reflects_the_least_of_the_views_that_it_is_made_from(log, lists, reader_pool):
    await registered(log, 2)
    await lists.catch_up()
    await registered(log, 3)
    await lists.views[0].catch_up()
    assert (await users(reader_pool)).position == 5
    assert (await users(reader_pool, sort="name")).position == 2
    assert (await users(reader_pool, UserFilters(search="u"))).position == 2


async def test_who_is_known_in_one_view_only_ends_no_list(log, lists, reader_pool):
    people = await registered(log, 3, "Ada")
    await lists.catch_up()
    ahead = await registered(log, 30, "A")
    await lists.views[1].catch_up()
    for sort in ("name", "-created"):
        found = await everyone(reader_pool, UserFilters(search="a"), sort=sort, limit=1)
        assert {user.id for user in found} == set(people)
        assert not {user.id for user in found} & set(ahead)


@pytest.fixture
async def people(log, lists) -> list[UserView]:
    """A few dozen people of all kinds."""
    for number in range(44):
        person = uuid7()
        name = NAMES[number % len(NAMES)]
        more: list[Any] = [EmailVerified()] if number % 3 else []
        more += [DisplayNameChanged(name)] if number % 5 == 0 and name else []
        more += [RoleGranted(role) for role, each in (("auditor", 7), ("analyst", 11)) if number % each == 0]
        more += [UserSuspended()] if number % 6 == 0 else []
        more += [UserLocked(NOON)] if number % 8 == 0 else []
        first = None if number % 5 == 0 and name else name
        await log.add(person, UserRegistered(f"U{number}_x@example.{'com' if number % 4 else 'org'}", first), *more)
        if number % 2:
            await log.add_to_session(person, uuid7(), SessionStarted(person, "password"))
        if number % 9 == 0:
            await log.add(person, RegistrationSuperseded(person))
    await lists.catch_up()
    rows = (await lists.views[0].rows()).values()
    names = UserView.__struct_fields__
    return [UserView(**{name: row[name] for name in names} | {"metadata": {"own": {}, "admin": {}}}) for row in rows]


def holds(filters: UserFilters, user: UserView) -> bool:
    """Whether a filter lets someone through, said without SQL."""
    text = f" {plain(user.display_name or '')}\n {plain(user.email or '')}"
    term = plain(filters.search or "")
    short = len(term) <= 2 and term.isascii() and term.isalnum()
    seen = user.last_seen_at
    return (
        (not filters.statuses or user.status in filters.statuses)
        and (not filters.roles or bool(filters.roles & set(user.roles)))
        and filters.verified in (None, user.email_verified)
        and (filters.created_from is None or user.registered_at >= filters.created_from)
        and (filters.created_to is None or user.registered_at < filters.created_to)
        and (filters.seen_from is None or (seen is not None and seen >= filters.seen_from))
        and (filters.seen_to is None or (seen is not None and seen < filters.seen_to))
        and (f" {term}" if short else term) in text
    )


def in_order(found: list[UserView], sort: str) -> list[UserView]:
    """The order of a list, said without SQL."""
    column = {"created": "registered_at", "last_seen": "last_seen_at", "name": "display_name"}[sort.lstrip("-")]

    def value(user: UserView) -> Any:
        got = getattr(user, column)
        return plain(got).encode() if isinstance(got, str) else got

    valued = sorted((user for user in found if value(user) is not None), key=lambda user: (value(user), user.id))
    others = sorted((user for user in found if value(user) is None), key=lambda user: user.id)
    return [*valued[::-1], *others[::-1]] if sort.startswith("-") else [*valued, *others]


times = st.none() | st.integers(-1, 45)
asked = st.builds(
    UserFilters,
    statuses=st.frozensets(st.sampled_from(["active", "unverified", "suspended", "locked"]), max_size=3),
    roles=st.just(frozenset()) | st.frozensets(st.sampled_from(["auditor", "analyst", "administrator"]), max_size=2),
    verified=st.sampled_from([None, None, True, False]),
    search=st.none()
    | st.sampled_from(
        [
            "ada",
            "u1",
            "u",
            "_x",
            "é",
            "LOVE",
            "%",
            "0%",
            "_",
            "\\",
            "sure\\",
            "明",
            "org",
            "@",
            ".c",
            "o'n",
            "inc",
            "zzz",
            "ødeg",
            "I",
            "élodie ångström",
            "u12_x@example.",
            "12_x@example.org",
            "@Example.Org",
            "nobody@example",
        ]
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked, st.tuples(times, times, times, times), st.sampled_from(sorted(SORTS)), st.integers(1, 20))
async def test_lists_whom_the_filters_let_through_once_each_in_order(people, reader_pool, filters, ranges, sort, limit):
    moments: list[datetime] = sorted(user.registered_at for user in people)

    def moment(number: int | None) -> datetime | None:
        if number is None:
            return None
        return moments[number] if 0 <= number < len(moments) else moments[0] + timedelta(days=number)

    names = ("created_from", "created_to", "seen_from", "seen_to")
    filters = replace(filters, **{name: moment(number) for name, number in zip(names, ranges, strict=True)})
    expected = in_order([user for user in people if holds(filters, user)], sort)
    assert await everyone(reader_pool, filters, sort=sort, limit=limit) == expected
    assert (await users(reader_pool, filters, sort=sort, count=True)).count == len(expected)


async def test_what_sql_takes_for_patterns_is_text(log, lists, reader_pool):
    for name in ("50% off", "50 off", "a_b", "aXb", "back\\slash", "backslash", "'; --"):
        await log.add(uuid7(), UserRegistered(f"{uuid7()}@example.com", name))
    await lists.catch_up()
    for term, found in (
        ("0%", ["50% off"]),
        ("a_b", ["a_b"]),
        ("k\\s", ["back\\slash"]),
        ("'; --", ["'; --"]),
        ("%%%", []),
    ):
        assert [user.display_name for user in await everyone(reader_pool, UserFilters(search=term))] == found


async def test_no_term_reaches_over_from_the_name_into_the_address(log, lists, reader_pool):
    await log.add(uuid7(), UserRegistered("ada@example.com", "Countess"))
    await lists.catch_up()
    for term, number in (("countess", 1), ("ada@", 1), ("countess ada", 0), ("countess\nada", 0), ("s\n a", 0)):
        assert len(await everyone(reader_pool, UserFilters(search=term))) == number


@pytest.mark.parametrize(
    ("term", "indexed"), [("ada", True), ("ad", True), ("a.b", True), ("明", False), ("!!!", False), ("a@", False)]
)
def test_asks_the_index_of_trigrams_only_for_texts_that_have_some(term, indexed):
    assert UserFilters(search=term).conditions() == (("search",) if indexed else ("search everyone",))


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("12345", ("search everyone", PART)),
        ("5@", ("search",)),
        ("明李", ("search",)),
        ("1.5", ("search everyone", PART)),
    ],
)
def test_a_part_is_asked_for_where_the_index_of_trigrams_has_it(part, names):
    assert found_by(part, ("search",)) == names
    assert found_by(part, ("search everyone",)) == ("search everyone",)


async def test_remembers_no_more_statements_than_it_needs(log, lists, reader_pool):
    await registered(log, 1)
    await lists.catch_up()
    for remembered in (straight, walked, gathered, counted):
        assert remembered.cache_info().maxsize is not None
    page = await users(reader_pool, UserFilters(statuses=frozenset({"active"}), search="one"), sort="name")
    before = walked.cache_info().currsize
    await users(reader_pool, UserFilters(statuses=frozenset({"unverified", "active"}), search="two"), sort="name")
    assert walked.cache_info().currsize == before
    assert page.items == []


async def test_what_is_dear_waits_for_its_turn_without_a_connection(log, lists, database):
    await registered(log, 4, "Ada")
    await lists.catch_up()
    reader = await open_pool(database.url("reader"), "reader", 1)
    turns = asyncio.Semaphore(1)
    async with turns:
        waiting = [
            asyncio.create_task(users(reader, UserFilters(search="a"), few=turns)),
            asyncio.create_task(users(reader, count=True, few=turns)),
        ]
        await asyncio.sleep(0.05)
        assert len((await users(reader, few=turns)).items) == 4
        assert not any(task.done() for task in waiting)
    searched, counted_ = await asyncio.gather(*waiting)
    assert (len(searched.items), counted_.count) == (4, 4)
    await reader.close()


async def test_a_list_that_takes_too_long_is_given_up_by_the_server(log, lists, reader_pool, monkeypatch):
    await registered(log, 1)
    await lists.catch_up()
    monkeypatch.setattr("queries.user_lists.PLANNED_FOR_WHAT_IS_ASKED", PLANNED_FOR_WHAT_IS_ASKED.replace("20s", "1ms"))
    async with reader_pool.acquire() as connection, _one_moment(connection) as moment:
        with pytest.raises(asyncpg.QueryCanceledError):
            await moment.fetch("SELECT pg_sleep(5)")

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.errors import WeakPassword
from commands.passwords import Hasher, HasherBusy, acceptable, normalised


@pytest.fixture
def hasher():
    made = Hasher(threads=1, queue_size=2)
    yield made
    made.close()


@pytest.mark.parametrize("password", ["short", "ada@example.com", "muster muster 1", "x1y2" * 257])
def test_refuses_a_password_that_is_easy_to_guess_or_endless(password):
    with pytest.raises(WeakPassword):
        acceptable(password, email="ada@example.com")


def test_takes_a_password_of_128_characters():
    assert len(acceptable("pass" * 32, email="ada@example.com")) == 128


@given(st.text(min_size=12, max_size=60))
@settings(max_examples=200)
def test_every_spelling_of_a_password_is_the_same_one(text):
    assert normalised(unicodedata.normalize("NFD", text)) == normalised(unicodedata.normalize("NFC", text))


async def test_lets_in_whoever_knows_the_password_and_nobody_else(hasher):
    hashed = await hasher.hash("caf\u00e9 au lait tous les jours")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await hasher.verify("cafe\u0301 au lait tous les jours", hashed)
    assert not await hasher.verify("cafe au lait tous les jours", hashed)


async def test_never_truncates(hasher):
    hashed = await hasher.hash("a" * 72 + "b")
    assert not await hasher.verify("a" * 72 + "c", hashed)


async def test_a_password_beyond_the_limit_is_wrong_and_no_error(hasher):
    hashed = await hasher.hash("x" * 1024)
    assert not await hasher.verify("x" * 5000, hashed)


async def test_verifies_nothing_where_there_is_no_hash(hasher):
    assert not await hasher.verify("whatever it may be", None)


async def test_raises_an_alarm_for_a_hash_of_no_known_kind(hasher):
    with pytest.raises(ValueError, match="no known kind"):
        await hasher.verify("whatever it may be", "{plain}secret")


async def test_refuses_more_work_than_may_wait(hasher):
    import asyncio

    answers = await asyncio.gather(*(hasher.hash(f"password number {n}") for n in range(9)), return_exceptions=True)
    busy = [answer for answer in answers if isinstance(answer, HasherBusy)]
    assert len(busy) == 6
    assert hasher.waiting == 0

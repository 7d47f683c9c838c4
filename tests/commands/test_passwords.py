import asyncio
import time
import unicodedata
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from passlib import hash as schemes

from commands.errors import WeakPassword
from commands.passwords import Hasher, HasherBusy, Verified, acceptable, normalised
from tests.muster import PASSWORD

pytestmark = pytest.mark.real_hashes


@pytest.fixture
def hasher():
    made = Hasher(threads=1, queue_size=2)
    yield made
    made.close()


TODAYS = "$argon2id$v=19$m=19456,t=2,p=1$"
TODAY = {"type": "ID", "memory_cost": 19_456, "time_cost": 2, "parallelism": 1}


def said(password, email="ada.lovelace@example.com"):
    """What is said against the password."""
    with pytest.raises(WeakPassword) as refusal:
        acceptable(password, email=email)
    return str(refusal.value)


@pytest.mark.parametrize("password", ["", "short", "eleven char", "\U0001f40e" * 11])
def test_refuses_what_has_fewer_than_twelve_characters(password):
    assert said(password) == "A password has at least 12 characters; choose a longer one."


def test_counts_characters_as_they_are_normalised():
    assert "at least 12" in said("\u00e9\u00e8\u00ea\u00eb e\u0301e\u0300 \u00e0\u00e1\u00e2")
    assert acceptable("ete\u0301 indien a\u0300 Gap", email="") == "et\u00e9 indien \u00e0 Gap"


def test_refuses_an_endless_one_and_takes_a_long_one():
    long = "".join(chr(0x4E00 + 7 * number) for number in range(1025))
    assert said(long) == "A password has at most 1024 characters; choose a shorter one."
    assert acceptable(long[:1024], email="ada@example.com") == long[:1024]


@pytest.mark.parametrize("password", ["password1234", "aaaaaaaaaaaa", "qwertyuiopas", "Password2026!!"])
def test_says_why_a_common_one_is_refused_and_what_to_do(password):
    detail = said(password)
    assert "what many people choose" in detail
    assert "add words" in detail
    assert password not in detail


@pytest.mark.parametrize(
    "password",
    [
        "ada.lovelace@example.com",
        "ADA.Lovelace@EXAMPLE.com",
        "ada.lovelace@example.com!",
        "ada.lovelace",
        "AdaLovelace12",
        "Ada Lovelace 2026",
        "4d4l0v3l4ce!!",
        "Lovelace example!",
        "Muster-Muster-1",
        "muster2026!!",
        "mu$t3r 2026!",
        "MusterPassword1",
    ],
)
def test_refuses_the_own_address_and_the_products_name(password):
    assert "the address or the name of this product" in said(password)


@pytest.mark.parametrize("local", ["a.b-c_d+e!f#g%h&i*j", "x" * 64, "ada." * 15 + "ada", "lovelace." * 6 + "lovelace"])
def test_refuses_an_address_of_any_form_as_its_password(local):
    email = f"{local}@a-rather-long-name-of-a-place.example.com"
    assert said(email, email)
    assert said(email.upper(), email)


def test_takes_a_passphrase_that_has_a_word_of_the_address_or_the_product():
    assert acceptable("ada musters four oars", email="ada@example.com")


@given(st.text(min_size=12, max_size=60))
@settings(max_examples=200)
def test_every_spelling_of_a_password_is_the_same_one(text):
    assert normalised(unicodedata.normalize("NFD", text)) == normalised(unicodedata.normalize("NFC", text))


async def test_lets_in_whoever_knows_the_password_and_nobody_else(hasher):
    hashed = await hasher.hash("caf\u00e9 au lait tous les jours")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await hasher.verify("cafe\u0301 au lait tous les jours", hashed) == Verified(matches=True, rehashed=None)
    assert await hasher.verify("cafe au lait tous les jours", hashed) == Verified(matches=False, rehashed=None)


async def test_never_truncates(hasher):
    hashed = await hasher.hash("a" * 72 + "b")
    assert not (await hasher.verify("a" * 72 + "c", hashed)).matches


async def test_takes_what_bcrypt_saw_of_a_long_password_once_and_all_of_it_from_then_on(hasher):
    long = "\u00e9" * 40 + "and what bcrypt never saw"
    hashed = schemes.bcrypt.using(rounds=4).hash(long.encode()[:72])
    verified = await hasher.verify(long, hashed)
    assert verified.matches
    assert (await hasher.verify(long, verified.rehashed)).matches
    assert not (await hasher.verify("\u00e9" * 40 + "and something else", verified.rehashed)).matches
    assert not (await hasher.verify("\u00e9" * 35 + "e", hashed)).matches


@pytest.mark.parametrize("password", ["correct horse\0", "correct horse\0 battery", "\0", "correct\0 horse"])
async def test_a_nul_is_never_a_part_of_what_bcrypt_hashed(hasher, password):
    hashed = schemes.bcrypt.using(rounds=4).hash("correct horse")
    assert await hasher.verify(password, hashed) == Verified(matches=False, rehashed=None)


async def test_a_password_beyond_the_limit_is_wrong_and_no_error(hasher):
    hashed = await hasher.hash("x" * 1024)
    assert not (await hasher.verify("x" * 5000, hashed)).matches


async def test_verifies_nothing_where_there_is_no_hash(hasher):
    assert await hasher.verify("whatever it may be", None) == Verified(matches=False, rehashed=None)


@pytest.mark.parametrize(
    "hashed",
    [
        schemes.argon2.using(**TODAY | {"memory_cost": 8192}).hash(PASSWORD),
        schemes.argon2.using(**TODAY | {"time_cost": 1}).hash(PASSWORD),
        schemes.argon2.using(**TODAY | {"time_cost": 3}).hash(PASSWORD),
        schemes.argon2.using(**TODAY | {"parallelism": 2}).hash(PASSWORD),
        schemes.argon2.using(**TODAY | {"type": "I"}).hash(PASSWORD),
        schemes.argon2.using(**TODAY | {"digest_size": 16}).hash(PASSWORD),
        schemes.argon2.using(**TODAY | {"type": "D"}).hash(PASSWORD),
        schemes.bcrypt.using(rounds=4).hash(PASSWORD),
        schemes.bcrypt.using(rounds=4, ident="2a").hash(PASSWORD),
        schemes.bcrypt.using(rounds=4, ident="2y").hash(PASSWORD),
        schemes.django_bcrypt_sha256.using(rounds=4).hash(PASSWORD),
        schemes.scrypt.using(rounds=12).hash(PASSWORD),
        schemes.pbkdf2_sha256.using(rounds=1000).hash(PASSWORD),
        schemes.pbkdf2_sha512.using(rounds=1000).hash(PASSWORD),
        schemes.django_pbkdf2_sha256.using(rounds=1000).hash(PASSWORD),
    ],
    ids=lambda hashed: hashed.rsplit("$", 2)[0],
)
async def test_hashes_anew_what_was_hashed_otherwise(hasher, hashed):
    assert await hasher.verify("not the password", hashed) == Verified(matches=False, rehashed=None)
    verified = await hasher.verify(PASSWORD, hashed)
    assert verified.matches
    assert verified.rehashed.startswith(TODAYS)
    assert await hasher.verify(PASSWORD, verified.rehashed) == Verified(matches=True, rehashed=None)


BROKEN = {
    "empty": "",
    "of no kind": "{plain}secret",
    "of the bcrypt that was broken": "$2x$12$" + "a" * 53,
    "bcrypt, cut": "$2b$12$" + "a" * 20,
    "nothing but a kind": "$argon2id$",
    "cut": TODAYS + "c2FsdHNhbHRzYWx0c2FsdA",
    "with a letter that is none of base64": TODAYS + "c2FsdHNhbHRzYWx0c2FsdA$\u00e4",
    "without memory": "$argon2id$v=19$m=1,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + "A" * 43,
    "with all the memory": "$argon2id$v=19$m=4294967295,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + "A" * 43,
    "scrypt, cut": "$scrypt$ln=16,r=8,p=1$c2FsdHNhbHQ$",
    "scrypt with all the memory": "$scrypt$ln=31,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + "A" * 43,
    "PBKDF2 without rounds": "$pbkdf2-sha256$0$c2FsdHNhbHQ$" + "A" * 43,
    "Django's, cut": "pbkdf2_sha256$1000$salt$",
}


@pytest.mark.parametrize("hashed", BROKEN.values(), ids=BROKEN)
async def test_raises_an_alarm_for_a_broken_hash_without_quoting_it(hasher, hashed):
    with pytest.raises(ValueError, match=r"^A stored password hash is malformed or of no known kind\.$") as alarm:
        await hasher.verify(PASSWORD, hashed)
    assert alarm.value.__suppress_context__


@pytest.mark.parametrize("hashed", [None, *BROKEN.values()], ids=["none", *BROKEN])
async def test_works_as_much_where_there_is_nothing_to_compare_with(hasher, hashed):
    kept = await hasher.hash(PASSWORD)
    await hasher.verify(PASSWORD, None)  # the first time makes what is compared with instead

    async def work(hashed):
        spent = []
        for _ in range(3):
            began = time.process_time()
            with suppress(ValueError):
                await hasher.verify("not the password", hashed)
            spent.append(time.process_time() - began)
        return min(spent)

    assert 0.5 < await work(hashed) / await work(kept) < 2


async def test_refuses_more_work_than_may_wait(hasher):
    answers = await asyncio.gather(*(hasher.hash(f"password number {n}") for n in range(9)), return_exceptions=True)
    busy = [answer for answer in answers if isinstance(answer, HasherBusy)]
    assert len(busy) == 6
    assert hasher.waiting == 0

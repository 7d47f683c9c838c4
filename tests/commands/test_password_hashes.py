"""Hashes from elsewhere: what is taken verifies, and what would be dear or does not verify is refused."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from passlib import hash as schemes

from commands.errors import InvalidPasswordHash
from commands.password_hashes import password_hash
from commands.passwords import _verify
from tests.muster import PASSWORD

ARGON = {"memory_cost": 64, "time_cost": 1, "parallelism": 1}
SALT, DIGEST = "c2FsdHNhbHRzYWx0c2FsdA", "A" * 43
LAST = 53
"""Letters of any hash, where no cost stands."""
BCRYPT = schemes.bcrypt.using(rounds=4)

TAKEN = {
    "argon2id": schemes.argon2.using(type="ID", **ARGON).hash(PASSWORD),
    "argon2i": schemes.argon2.using(type="I", **ARGON).hash(PASSWORD),
    "argon2d": schemes.argon2.using(type="D", **ARGON).hash(PASSWORD),
    "argon2id with other sizes": schemes.argon2.using(
        type="ID", memory_cost=64, time_cost=3, parallelism=4, digest_size=64, salt_size=32
    ).hash(PASSWORD),
    "$2a$": BCRYPT.using(ident="2a").hash(PASSWORD),
    "$2b$": BCRYPT.using(ident="2b").hash(PASSWORD),
    "$2y$": BCRYPT.using(ident="2y").hash(PASSWORD),
    "scrypt": schemes.scrypt.using(rounds=8).hash(PASSWORD),
    "scrypt with other sizes": schemes.scrypt.using(rounds=4, block_size=4, parallelism=2, salt_size=32).hash(PASSWORD),
    "PBKDF2 with SHA-256": schemes.pbkdf2_sha256.using(rounds=10).hash(PASSWORD),
    "PBKDF2 with SHA-512": schemes.pbkdf2_sha512.using(rounds=10).hash(PASSWORD),
    "Django's PBKDF2": schemes.django_pbkdf2_sha256.using(rounds=10).hash(PASSWORD),
    "Django's bcrypt of SHA-256": schemes.django_bcrypt_sha256.using(rounds=4).hash(PASSWORD),
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_takes_a_hash_as_it_is_and_it_verifies(text):
    assert password_hash(text) == text
    assert _verify(PASSWORD, text).matches
    assert not _verify("not the password", text).matches


@pytest.mark.parametrize("name", ["argon2id", "argon2i"])
def test_takes_argon2_as_django_keeps_it(name):
    assert password_hash(f"argon2{TAKEN[name]}") == TAKEN[name]


def test_takes_bcrypt_as_django_keeps_it():
    assert password_hash(f"bcrypt${TAKEN['$2b$']}") == TAKEN["$2b$"]


def test_takes_a_hash_that_another_library_made():
    # Published by the authors of bcrypt's reference implementation (crypt_blowfish), and by Django's documentation.
    ours = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
    assert _verify("U*U", password_hash(ours)).matches
    assert _verify("U*U", password_hash(ours.replace("$2a$", "$2y$"))).matches


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_whatever_is_taken_can_be_verified(text, data):
    place = data.draw(st.integers(len(text) - LAST, len(text) - 1))
    letters = st.sampled_from("$,=./+09azAZ \n\u00e9")
    altered = text[:place] + data.draw(letters | st.just("")) + text[place + data.draw(st.integers(0, 2)) :]
    with suppress(InvalidPasswordHash):
        _verify(PASSWORD, password_hash(altered))


DEAR = {
    "argon2 with a gigabyte": f"$argon2id$v=19$m=1048576,t=1,p=1${SALT}${DIGEST}",
    "argon2 with all the memory": f"$argon2id$v=19$m=4294967295,t=1,p=1${SALT}${DIGEST}",
    "argon2 with passes without end": f"$argon2id$v=19$m=65536,t=100000,p=1${SALT}${DIGEST}",
    "argon2 with many lanes": f"$argon2id$v=19$m=65536,t=1,p=64${SALT}${DIGEST}",
    "bcrypt for minutes": "$2b$20$" + "A" * 21 + "." + "A" * 30 + ".",
    "bcrypt for years": "$2b$31$" + "A" * 21 + "." + "A" * 30 + ".",
    "Django's for minutes": "bcrypt_sha256$$2b$20$" + "A" * 21 + "." + "A" * 30 + ".",
    "scrypt with a gigabyte": f"$scrypt$ln=20,r=8,p=1${SALT}${DIGEST}",
    "scrypt with large blocks": f"$scrypt$ln=14,r=1024,p=1${SALT}${DIGEST}",
    "scrypt again and again": f"$scrypt$ln=16,r=8,p=1000${SALT}${DIGEST}",
    "PBKDF2 for minutes": f"$pbkdf2-sha256$4294967295${SALT}${DIGEST}",
    "PBKDF2 with SHA-512 for minutes": f"$pbkdf2-sha512$100000000${SALT}${'A' * 86}",
    "Django's PBKDF2 for minutes": f"pbkdf2_sha256$1000000000$salt${DIGEST}=",
}


@pytest.mark.parametrize("text", DEAR.values(), ids=DEAR)
def test_refuses_what_would_be_dear_to_verify_and_says_how_dear_it_may_be(text):
    with pytest.raises(
        InvalidPasswordHash, match=r"^It would (take too long|be too dear) to verify this hash"
    ) as refusal:
        password_hash(text)
    assert text not in str(refusal.value)


STRANGE = {
    "nothing": "",
    "a password": "correct horse battery",
    "MD5": "5f4dcc3b5aa765d61d8327deb882cf99",
    "salted MD5": "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99",
    "an LDAP hash": "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
    "SHA-crypt": "$6$rounds=5000$salt$" + "a" * 86,
    "PBKDF2 with SHA-1": f"$pbkdf2$1000${SALT}$" + "A" * 27,
    "Django's unusable password": "!abcdefghijklmnopqrstuvwxyz",
    "bcrypt that was broken": "$2x$05$" + "A" * 21 + "." + "A" * 30 + ".",
    "bcrypt for nothing": "$2b$03$" + "A" * 21 + "." + "A" * 30 + ".",
    "bcrypt with bits that nobody writes": "$2b$05$" + "A" * 53,
    "bcrypt, cut": "$2b$05$" + "A" * 20,
    "argon2 without a digest": f"$argon2id$v=19$m=64,t=1,p=1${SALT}",
    "argon2 with little salt": f"$argon2id$v=19$m=64,t=1,p=1$c2FsdA${DIGEST}",
    "argon2 with too little memory": f"$argon2id$v=19$m=7,t=1,p=1${SALT}${DIGEST}",
    "argon2 of another kind": f"$argon2x$v=19$m=64,t=1,p=1${SALT}${DIGEST}",
    "argon2 of a version to come": f"$argon2id$v=20$m=64,t=1,p=1${SALT}${DIGEST}",
    "argon2 with data": f"$argon2id$v=19$m=64,t=1,p=1,data=AAAA${SALT}${DIGEST}",
    "scrypt for which there is no block": f"$scrypt$ln=17,r=1,p=1${SALT}${DIGEST}",
    "a number with a zero before it": f"$scrypt$ln=08,r=8,p=1${SALT}${DIGEST}",
    "more base64 than bytes": f"$pbkdf2-sha256$1000$c2Fsd${DIGEST}",
    "a line more": TAKEN["$2b$"] + "\n",
    "a NUL": TAKEN["argon2id"] + "\0",
    "letters that look alike": TAKEN["argon2id"].replace("m=64", "m=\u0666\u0664"),
    "a long one": "$argon2id$v=19$m=64,t=1,p=1$" + "A" * 100_000,
}


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE)
def test_refuses_what_it_does_not_know_or_is_not_whole(text):
    with pytest.raises(InvalidPasswordHash) as refusal:
        password_hash(text)
    assert not text or text not in str(refusal.value)

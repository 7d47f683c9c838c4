"""What is easy to guess, and what is not."""

import gzip
import random
import string
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands import common_passwords
from commands.common_passwords import LONGEST, SHORTEST_KNOWN, easy_to_guess

LISTED = gzip.decompress(Path(common_passwords.__file__).with_name("common_passwords.txt.gz").read_bytes()).decode()
COMMON = LISTED.split()


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "Password2026!!",
        "iloveyou1234",
        "Welcome12345!",
        "Summer2026!?",
        "letmein letmein",
        "qwertyqwerty",
        "passwordpassword",
        "monkey-monkey-monkey",
        "silverdragon1",
        "silver dragon 1",
        "michael jackson",
        "administrator",
    ],
)
def test_one_or_two_common_passwords_with_little_else_are_easy_to_guess(password):
    assert easy_to_guess(password)


@pytest.mark.parametrize(
    "password",
    [
        "P4ssw0rd1234",
        "p@$$w0rd!!!!",
        "1L0v3y0u1234",
        "p-a-s-s-w-o-r-d",
        "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44\uff11\uff12\uff13\uff14",
    ],
)
def test_spelling_a_common_password_otherwise_does_not_help(password):
    assert easy_to_guess(password)


@pytest.mark.parametrize(
    "password",
    [
        "123456789012",
        "987654321098",
        "abcdefghijkl",
        "zyxwvutsrqpo",
        "qwertyuiopas",
        "poiuytrewq12",
        "qwertzuiop12",
        "azertyuiop12",
        "!@#$%^&*()_+",
        "1qaz2wsx3edc",
        "1q2w3e4r5t6y",
        "aaaaaaaaaaaa",
        "112233445566",
        "111222333444",
        "abcabcabcabc",
        "xyq xyq xyq xyq",
        "\U0001f40e" * 12,
        "            ",
        "x" * 1024,
    ],
)
def test_runs_and_repetitions_are_easy_to_guess(password):
    assert easy_to_guess(password)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "a horse, a staple",
        "a horse, a staple, a battery",
        "four oars and a lantern",
        "a moth in relay seventy",
        "the password of a stranger",
        "password qwerty dragon",
        "caf\u00e9 au lait tous les jours",
        "\u043d\u0430 \u0434\u0432\u043e\u0440\u0435 \u0442\u0440\u0430\u0432\u0430",
        "\u6211\u6bcf\u5929\u65e9\u4e0a\u516d\u70b9\u8d77\u5e8a\u8dd1\u6b65",
        "\u0928\u0926\u0940 \u0915\u0947 \u0909\u0938 \u092a\u093e\u0930",
        "4NcGTs1xVQ8d",
        "9f86d081884c7d659a2feaa0c55ad015",
        "481516234290763318",
        "\x7f\x01 control characters",
    ],
)
def test_passphrases_and_long_random_strings_are_not(password):
    assert not easy_to_guess(password)


def test_nine_unforeseen_characters_are_enough_beside_what_is_known():
    assert easy_to_guess("password" + "hgnoxk"[:5])
    assert not easy_to_guess("password" + "hgnoxk")
    assert easy_to_guess("lighthouse keeper", knowing=["lighthouse", "keeper"])
    assert not easy_to_guess("lighthouse keeper hgn", knowing=["lighthouse", "keeper"])


def test_every_common_password_is_easy_to_guess_alone_twice_and_with_a_year():
    assert not [password for password in COMMON if not easy_to_guess(password)]
    assert not [password for password in COMMON[::10] if not easy_to_guess(password + password)]
    assert not [password for password in COMMON[::10] if not easy_to_guess(f"{password.capitalize()}1999!")]


@pytest.mark.parametrize(
    "alphabet", [string.digits, string.hexdigits[:16], string.ascii_letters, string.printable[:94]]
)
def test_hardly_any_random_string_of_sixteen_is_easy_to_guess(alphabet):
    chance = random.Random(len(alphabet))
    assert sum(easy_to_guess("".join(chance.choices(alphabet, k=16))) for _ in range(2000)) <= 2


@given(st.text(max_size=1024), st.lists(st.text(max_size=64), max_size=4))
@settings(max_examples=200)
def test_any_text_has_an_answer_and_knowing_more_never_makes_it_harder(text, knowing):
    if easy_to_guess(text):
        assert easy_to_guess(text, knowing)
    if text in knowing:
        assert easy_to_guess(text, knowing)


def test_the_list_is_spelt_as_it_is_looked_for():
    assert len(COMMON) == len(set(COMMON)) > 29_000
    assert sorted(COMMON) == COMMON
    assert {len(password) for password in COMMON} == set(range(SHORTEST_KNOWN, LONGEST + 1))
    assert all(
        password == password.casefold() and common_passwords._apart(password) == (password, "") for password in COMMON
    )


def test_the_list_is_read_when_it_is_asked_for_first():
    code = "import commands.common_passwords as c; print(c._common_passwords.cache_info().currsize)"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert asked.stdout == "0\n"

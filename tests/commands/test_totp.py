"""Codes of authenticator apps, held against the numbers that the RFCs print."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.totp import AppSecret, hotp, otpauth_uri, step_at

SECRET = b"12345678901234567890"
APP = AppSecret(SECRET)
NOW = datetime(2005, 3, 18, 1, 58, 29, tzinfo=UTC)
STEP = timedelta(seconds=30)

RFC_4226 = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
RFC_6238 = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]


def code(moment):
    return hotp(SECRET, step_at(moment))


@pytest.mark.parametrize(("counter", "value"), [*enumerate(RFC_4226)])
def test_counts_as_appendix_d_of_rfc_4226(counter, value):
    assert hotp(SECRET, counter) == value


@pytest.mark.parametrize(("seconds", "value"), RFC_6238)
def test_tells_the_time_as_appendix_b_of_rfc_6238(seconds, value):
    moment = datetime.fromtimestamp(seconds, UTC)
    assert hotp(SECRET, step_at(moment), 8) == value
    assert APP.is_code(value[2:], moment)


def test_takes_the_code_of_a_clock_that_is_a_step_ahead_or_behind_and_no_further():
    for steps in (-1, 0, 1):
        taken = APP.taken(code(NOW + steps * STEP), NOW)
        assert taken
        assert taken.last_step == step_at(NOW) + steps
    for steps in (-2, 2):
        assert APP.taken(code(NOW + steps * STEP), NOW) is None


def test_takes_no_code_twice_and_none_that_is_older():
    taken = APP.taken(code(NOW), NOW)
    assert taken
    assert taken.taken(code(NOW), NOW) is None
    assert taken.taken(code(NOW - STEP), NOW) is None
    assert taken.is_code(code(NOW), NOW)
    assert taken.taken(code(NOW + STEP), NOW)


@pytest.mark.parametrize("given", ["", "000000", "07081804", " 081804", "٠٨١٨٠٤", "81804"])
def test_takes_nothing_else(given):
    assert APP.taken(given, NOW) is None


@given(st.binary(min_size=1, max_size=64), st.integers(0, 2**40))
def test_what_is_kept_comes_back(secret, last_step):
    kept = AppSecret(secret, last_step)
    assert AppSecret.from_bytes(kept.to_bytes()) == kept


def test_secrets_are_of_160_bits_and_differ():
    made = {AppSecret.made().secret for _ in range(10)}
    assert {len(secret) for secret in made} == {20}
    assert len(made) == 10


def test_apps_read_whose_it_is_out_of_a_uri():
    uri = urlsplit(otpauth_uri(APP, "users.example.com", "ada+tag@example.com"))
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == "/users.example.com:ada+tag@example.com"
    assert parse_qs(uri.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": ["users.example.com"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }

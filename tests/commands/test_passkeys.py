"""What is kept of passkeys, and for which pages they are made."""

from datetime import timedelta
from uuid import UUID

import pytest
from msgspec.structs import replace

from commands.ceremonies import made, rp_id, signed
from commands.errors import InvalidLabel, InvalidPasskey
from commands.labels import label
from commands.passkeys import Passkey, Passkeys, transports_of
from tests.authenticators import Authenticator, base64url
from tests.support import NOON

LATER = NOON + timedelta(hours=1)
KEY = Passkey(UUID(int=1), b"one", b"public", 4, "My telephone", NOON)
OTHER = Passkey(UUID(int=2), b"two", b"public", 0, "A stick", LATER)
CHALLENGE = base64url(b"c" * 80)


def options(authenticator):
    return {"rp": {"id": authenticator.rp_id}, "user": {"id": base64url(bytes(16))}, "challenge": CHALLENGE}


class TestCounts:
    def test_one_that_goes_on_is_kept(self):
        assert KEY.used(5, LATER) == replace(KEY, sign_count=5, last_used_at=LATER)
        assert KEY.used(99, LATER)

    @pytest.mark.parametrize("count", [0, 3, 4])
    def test_one_that_does_not_is_refused(self, count):
        assert KEY.used(count, LATER) is None

    def test_whoever_does_not_count_need_not(self):
        used = OTHER.used(0, LATER)
        assert used
        assert used.used(0, LATER)
        assert used.used(1, LATER)


class TestKept:
    both = Passkeys().having(OTHER).having(KEY)

    def test_they_stand_in_the_order_in_which_they_were_added(self):
        assert self.both.items == (KEY, OTHER)
        used = KEY.used(5, LATER)
        assert used
        assert self.both.having(used).items == (used, OTHER)

    def test_each_is_found_by_its_credential(self):
        assert self.both.of(b"two") == OTHER
        assert self.both.of(b"three") is None

    def test_one_that_is_taken_out_is_gone(self):
        assert self.both.without(KEY.id).items == (OTHER,)

    def test_they_come_back_as_they_were(self):
        assert Passkeys.from_bytes(self.both.to_bytes()) == self.both

    def test_hints_of_a_browser_are_short_words(self):
        said = {"response": {"transports": ["internal", "x" * 33, "hybrid"]}}
        assert transports_of(said) == ("internal", "hybrid")
        assert transports_of({"response": {}}) == ()


def test_a_label_is_harmless_wherever_it_is_shown():
    assert label(" My telephone ") == "My telephone"
    for text in ("", "a\r\nb", "\u202e", "x" * 101):
        with pytest.raises(InvalidLabel):
            label(text)


@pytest.mark.parametrize(
    ("base_url", "origin"),
    [
        ("https://users.example.com", "https://users.example.com"),
        ("https://Users.Example.com:443/", "https://users.example.com"),
        ("https://example.com/users", "https://example.com"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://localhost:80", "http://localhost"),
    ],
)
def test_the_origin_is_that_of_the_base_url_as_browsers_write_it(base_url, origin):
    authenticator = Authenticator(origin)
    assert rp_id(base_url) == authenticator.rp_id
    new = made(authenticator.make(options(authenticator)), CHALLENGE, base_url)
    passkey = Passkey(UUID(int=1), new.credential_id, new.public_key, 0, "A key", NOON)
    assert signed(authenticator.sign(CHALLENGE), CHALLENGE, base_url, passkey) == 1


@pytest.mark.parametrize("base_url", ["https://example.com", "http://users.example.com", "https://users.example.com:1"])
def test_no_other_origin_will_do(base_url):
    authenticator = Authenticator("https://users.example.com")
    with pytest.raises(InvalidPasskey):
        made(authenticator.make(options(authenticator)), CHALLENGE, base_url)

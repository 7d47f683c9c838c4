"""What the formats of the document mean, as one would make them up without looking at the rules that check them."""

import json
from datetime import date
from typing import Any, Final
from zoneinfo import available_timezones

import schemathesis
from hypothesis import strategies as st

__all__ = ["teach"]

_ATEXT: Final = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789!#$%&'*+/=?^_`{|}~-äøšžλ"
_LABELS: Final = ("example", "mail-1", "münchen", "xn--bcher-kva", "почта", "a", "x" * 63)
LONGEST_NAME: Final = 100
LONGEST_EMAIL: Final = 254
LONGEST_URI: Final = 2048

_words: Final = st.text(_ATEXT, min_size=1, max_size=12)
_usual_emails: Final = st.builds(
    lambda local, labels, end: f"{'.'.join(local)}@{'.'.join([*labels, end])}",
    st.lists(_words, min_size=1, max_size=3),
    st.lists(st.sampled_from(_LABELS), min_size=1, max_size=3),
    st.sampled_from(("com", "org", "test", "рф")),
)
# Schemathesis asks for what is just short enough, which would be found by chance only.
_longest_emails: Final = st.sampled_from((LONGEST_EMAIL, LONGEST_EMAIL - 1)).map(
    lambda length: f"{'l' * 64}@{'d' * 63}.{'d' * 63}.".ljust(length - 4, "d") + ".com"
)
_visible: Final = st.characters(categories=("L", "N", "P", "S"), exclude_characters="\u115f\u1160\u2800\u3164\uffa0")
_names: Final = st.one_of(
    *(st.text(_visible, min_size=size, max_size=size) for size in (1, 2, LONGEST_NAME - 1, LONGEST_NAME)),
    st.builds("{} {}".format, st.text(_visible, min_size=1, max_size=20), st.text(_visible, min_size=1, max_size=20)),
)
_uris: Final = st.builds(
    "https://{}/{}".format,
    st.sampled_from(("example.com", "xn--bcher-kva.example:8443", "[2001:db8::1]")),
    st.sampled_from(("", "ada.png", "a/b%20c?size=200&x=[y]#top", "~ada/;v=1,2")),
)
_longest_uris: Final = st.sampled_from((LONGEST_URI, LONGEST_URI - 1)).map(
    lambda length: "https://example.com/".ljust(length, "a")
)
# The longest year that every zone has, and spellings that are rare.
_moments: Final = st.builds(
    "{:%Y-%m-%d}{}{:%H:%M:%S}{}{}".format,
    st.dates(date(1000, 1, 2), date(9999, 12, 30)),
    st.sampled_from("Tt"),
    st.times(),
    st.sampled_from(("", ".5", ".000001", ".123456789")),
    st.sampled_from(("Z", "z", "+00:00", "-00:00", "+14:00", "-12:00", "+05:45")),
)


@schemathesis.serializer("application/x-ndjson")
def _lines(_context: Any, value: Any) -> bytes:
    """Anything as lines: the items of a list, or one."""
    items = value if isinstance(value, list) else [value]
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def teach() -> None:
    """Let Schemathesis make values of these formats."""
    schemathesis.openapi.format("idn-email", _usual_emails | _longest_emails)
    schemathesis.openapi.format("display-name", _names)
    schemathesis.openapi.format("date-time", _moments)
    schemathesis.openapi.format("uri", _uris | _longest_uris)
    schemathesis.openapi.format("time-zone", st.sampled_from(sorted(available_timezones())))

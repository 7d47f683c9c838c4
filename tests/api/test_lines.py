import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.lines import Line, lines


async def split(chunks, most=10):
    async def stream():
        for chunk in chunks:
            yield chunk

    return [(line.number, line.text) async for line in lines(stream(), most)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", []),
        (b"\n \n\t\r\n", []),
        (b"a", [(1, b"a")]),
        (b"a\nb\n", [(1, b"a"), (2, b"b")]),
        (b"a\n\n\nb", [(1, b"a"), (4, b"b")]),
        (b"a\r\nb\r\n", [(1, b"a\r"), (2, b"b\r")]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb", [(1, b"a"), (2, b"\xef\xbb\xbfb")]),
        (b"0123456789\n01234567890\nc", [(1, b"0123456789"), (2, None), (3, b"c")]),
        (b"x" * 1000, [(1, None)]),
    ],
)
async def test_splits_what_comes_in_whatever_pieces(text, expected):
    for size in (1, 2, 3, 7, 1000):
        assert await split([text[place : place + size] for place in range(0, len(text), size)]) == expected


@given(st.lists(st.binary(max_size=8)))
async def test_any_pieces_make_the_same_lines(chunks):
    assert await split(chunks, most=5) == await split([b"".join(chunks)], most=5)


async def test_keeps_nothing_of_a_line_without_end():
    taken = 0

    async def endless():
        nonlocal taken
        for _ in range(2_000):
            taken += 65536
            yield b"x" * 65536

    assert [line async for line in lines(endless())] == [Line(1, None)]
    assert taken == 2_000 * 65536

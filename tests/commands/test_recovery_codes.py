from commands.recovery_codes import COUNT, RecoveryCodes


def test_there_are_ten_of_80_bits_each():
    made, codes = RecoveryCodes.made()
    assert len(set(codes)) == len(made.hashes) == COUNT == 10
    assert all(len(code.replace("-", "")) == 16 for code in codes)


def test_each_is_good_once():
    made, codes = RecoveryCodes.made()
    left = made.without(codes[3])
    assert left
    assert len(left.hashes) == 9
    assert left.without(codes[3]) is None
    assert left.without(codes[4])


def test_it_does_not_matter_how_one_is_written():
    made, (code, *_) = RecoveryCodes.made()
    for spelling in (code.upper(), code.replace("-", ""), code.replace("-", " "), f" {code}\n"):
        assert made.without(spelling), spelling


def test_nothing_else_is_taken():
    made, (code, *_) = RecoveryCodes.made()
    for other in ("", code[:-1], code + "a", RecoveryCodes.made()[1][0], "ü" * 16):
        assert made.without(other) is None, other


def test_the_codes_are_not_kept():
    made, codes = RecoveryCodes.made()
    kept = made.to_bytes()
    assert RecoveryCodes.from_bytes(kept) == made
    for code in codes:
        assert code.encode() not in kept
        assert code.replace("-", "").encode() not in kept

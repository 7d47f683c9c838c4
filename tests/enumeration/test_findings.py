"""What is made of samples: which kinds miss the goal, and what the table shows of them."""

import random
from collections.abc import Mapping

from tests.enumeration.findings import findings, table
from tests.enumeration.sampling import Samples


def sampled(kinds: Mapping[str, tuple[float, bytes]], count: int = 2000) -> Samples:
    """Times that scatter by a millisecond around each kind's, and what each kind was answered."""
    samples, chance = Samples(), random.Random(7)
    for kind, (mean, said) in kinds.items():
        samples.milliseconds["reset", kind] = [chance.gauss(mean, 1) for _ in range(count)]
        samples.answers["reset", kind][said] = count
    return samples


def test_kinds_that_are_alike_meet_the_goal():
    (finding,) = findings(sampled({"unknown": (30, b"202"), "known": (30, b"202")}), "idle")
    assert finding.verdict == "met"
    assert finding.kinds == ("unknown", "known")
    assert finding.samples == (2000, 2000)


def test_a_tenth_of_a_deviation_is_forgiven_and_a_fifth_is_not():
    (finding,) = findings(sampled({"unknown": (30, b"202"), "known": (30.05, b"202")}), "idle")
    assert finding.verdict == "met"
    (finding,) = findings(sampled({"unknown": (30, b"202"), "known": (30.2, b"202")}), "idle")
    assert finding.verdict == "missed"


def test_what_may_be_chance_is_unclear_and_with_more_samples_it_is_not():
    kinds = {"unknown": (30, b"202"), "known": (30.12, b"202")}
    (finding,) = findings(sampled(kinds, 300), "idle")
    assert finding.verdict == "unclear"
    (finding,) = findings(sampled(kinds, 10_000), "idle")
    assert finding.verdict == "missed"


def test_other_bytes_miss_the_goal_whatever_the_times():
    (finding,) = findings(sampled({"unknown": (30, b"202"), "known": (30, b"204")}), "no mail", timed=False)
    assert finding.verdict == "missed"
    assert not finding.identical


def test_a_kind_that_is_answered_now_so_now_so_misses_the_goal():
    samples = sampled({"unknown": (30, b"202"), "known": (30, b"202")})
    for kind in ("unknown", "known"):
        samples.answers["reset", kind][b"503"] = 1
    (finding,) = findings(samples, "loaded")
    assert not finding.identical


def test_times_that_do_not_count_are_not_judged():
    (finding,) = findings(sampled({"unknown": (30, b"202"), "known": (40, b"202")}), "no mail", timed=False)
    assert finding.verdict == "met"


def test_two_kinds_beside_the_unknown_are_shown_only_where_they_miss():
    like = {"unknown": (30, b"202"), "known": (30, b"202"), "lapsed": (30, b"202")}
    assert [finding.kinds for finding in findings(sampled(like), "idle")] == [
        ("unknown", "known"),
        ("unknown", "lapsed"),
    ]
    unlike = {"unknown": (30, b"202"), "known": (29.95, b"202"), "lapsed": (30.08, b"202")}
    missed = [finding.kinds for finding in findings(sampled(unlike), "idle") if finding.verdict == "missed"]
    assert missed == [("known", "lapsed")]


def test_the_table_has_a_row_for_each_finding():
    found = findings(sampled({"unknown": (30, b"202"), "known": (31, b"202")}), "idle")
    last = table(found).splitlines()[-1]
    assert last.startswith("| reset | unknown / known | 2,000 + 2,000 | idle | 30.0")
    assert last.endswith("| yes | **missed** |")

"""The areas under the curve, on times whose areas are known."""

import random
from itertools import product

import pytest

from tests.enumeration.classifiers import area, learnt_area


def drawn(seed: int, mean: float, count: int = 2000, spread: float = 1) -> list[float]:
    chance = random.Random(seed)
    return [chance.gauss(mean, spread) for _ in range(count)]


def test_kinds_that_never_overlap_are_told_apart_with_certainty():
    assert area([1, 2, 3], [4, 5, 6]).value == 1
    assert area([4, 5, 6], [1, 2, 3]).value == 0
    assert area([4, 5, 6], [1, 2, 3]).either_way.value == 1


def test_ties_count_as_halves():
    assert area([1, 2, 2, 3], [2, 2]).value == 0.5
    assert area([5.0] * 10, [5.0] * 10).value == 0.5


def test_is_the_share_of_pairs_in_which_the_second_is_longer():
    chance = random.Random(4)
    first, second = ([chance.randrange(20) for _ in range(50)] for _ in range(2))
    won = sum((b > a) + (b == a) / 2 for a, b in product(first, second)) / 2500
    assert area(first, second).value == pytest.approx(won)


def test_a_shift_of_half_a_deviation_gives_the_area_that_theory_says():
    # For two normal distributions it is the normal distribution function of d / sqrt(2): 0.638 for d = 0.5.
    measured = area(drawn(1, 0), drawn(2, 0.5))
    assert measured.value == pytest.approx(0.638, abs=3 * measured.error)


def test_the_error_is_how_far_areas_of_equal_kinds_scatter():
    measured = [area(drawn(seed, 0, 200), drawn(seed + 1000, 0, 200)) for seed in range(200)]
    beyond = sum(abs(one.value - 0.5) > 1.96 * one.error for one in measured)
    assert 2 <= beyond <= 20  # of 200, where 5 % are expected


def test_chance_alone_teaches_nothing():
    measured = learnt_area(drawn(1, 0), drawn(2, 0))
    assert abs(measured.value - 0.5) < 3 * measured.error


def test_what_is_spread_wider_is_found_by_learning_alone():
    narrow, wide = drawn(1, 0), drawn(2, 0, spread=3)
    assert area(narrow, wide).either_way.value < 0.53
    assert learnt_area(narrow, wide).value > 0.75


def test_what_stands_on_other_steps_of_a_clock_is_found_by_learning_alone():
    chance = random.Random(1)
    even = [chance.choice((10, 30)) + chance.random() for _ in range(2000)]
    odd = [20 + chance.random() for _ in range(2000)]
    assert area(even, odd).either_way.value < 0.53
    assert learnt_area(even, odd).value > 0.99


def test_a_shift_is_learnt_nearly_as_well_as_a_threshold_finds_it():
    first, second = drawn(1, 0), drawn(2, 1)
    assert learnt_area(first, second).value == pytest.approx(area(first, second).value, abs=0.02)

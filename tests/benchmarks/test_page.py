"""What is written into docs/benchmarks.md: the sections that were measured, and no others."""

from tests.benchmarks.page import MARK, PARTS, sections, with_sections

PAGE = f"# Benchmarks\n\nSaid by hand.\n\n{MARK}\n"


def test_a_section_stands_below_what_is_said_by_hand():
    page = with_sections(PAGE, {"H1": "| fast |"})
    assert page == f"{PAGE}### {PARTS['H1']}\n\n| fast |\n"


def test_what_was_not_measured_stays_and_what_was_is_replaced():
    page = with_sections(PAGE, {"H1": "| fast |", "A1": "| appended |"})
    page = with_sections(page, {"H1": "| faster |"})
    assert "| fast |" not in page
    assert page == PAGE + sections({"H1": "| faster |", "A1": "| appended |"})


def test_sections_stand_in_the_order_of_the_parts():
    page = with_sections(with_sections(PAGE, {"A1": "| appended |"}), {"H1": "| fast |"})
    assert page.index(PARTS["H1"]) < page.index(PARTS["A1"])


def test_writing_the_same_twice_changes_nothing():
    page = with_sections(PAGE, {"H1": "| fast |", "P1": "| projected |"})
    assert with_sections(page, {"P1": "| projected |"}) == page

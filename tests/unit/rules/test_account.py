import pytest

from cardd.rules.account import YearSums, payment_year, settled


@pytest.mark.parametrize(
    ("date", "start_day", "year"),
    [
        (20240101, 101, 2024),
        (20241231, 101, 2024),
        (20240630, 701, 2023),
        (20240701, 701, 2024),
        (20240229, 301, 2023),
    ],
)
def test_a_payment_year_is_named_after_the_last_starting_day(date: int, start_day: int, year: int) -> None:
    assert payment_year(date, start_day) == year


@pytest.mark.parametrize("date", [20230701, 20240630, 20230630, 20200101])
def test_within_the_year_and_before_it_sums_grow(date: int) -> None:
    assert settled(YearSums(10, 20, 2023), 701, date, 3, 4) == YearSums(13, 24, 2023)


@pytest.mark.parametrize(("date", "year"), [(20240701, 2024), (20250630, 2024), (20260701, 2026)])
def test_a_new_year_begins_with_its_first_settlement(date: int, year: int) -> None:
    assert settled(YearSums(10, 20, 2023), 701, date, 3, 4) == YearSums(3, 4, year)


def test_a_card_that_never_settled_begins_its_first_year() -> None:
    assert settled(YearSums(0, 0, 0), 101, 20240506, 3, 4) == YearSums(3, 4, 2024)

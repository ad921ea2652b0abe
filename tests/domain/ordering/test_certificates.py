"""Validity of certificates: up to a year and never less than half of that, by the day alone."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.ordering.certificates import GOOD_FOR, PERIOD, certified, superseded

DOMAINS = st.from_regex(r"[a-z]{2,20}\.practice\.example", fullmatch=True)
INSTANTS = st.datetimes(datetime(2024, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(DOMAINS, INSTANTS)
def test_certificates_are_valid_for_a_year_and_more_than_half_of_it_is_left(domain: str, at: datetime) -> None:
    found = certified(domain, at)
    assert found.ends - found.begins == GOOD_FOR
    assert found.begins <= at < found.begins + PERIOD
    assert found.ends - at > GOOD_FOR - PERIOD > timedelta(days=180)
    assert (found.begins.hour, found.begins.minute, found.begins.second) == (0, 0, 0)


@given(DOMAINS, INSTANTS)
def test_certificates_stay_the_same_for_a_period_and_change_in_the_next(domain: str, at: datetime) -> None:
    found = certified(domain, at)
    last = found.begins + PERIOD - timedelta(seconds=1)
    assert certified(domain, found.begins) == certified(domain, last) == found
    assert not superseded(domain, issued=found.begins, now=last)
    assert superseded(domain, issued=last, now=last + timedelta(seconds=1))


def test_domains_begin_their_periods_on_different_days() -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    assert len({certified(f"a{n}.practice.example", at).begins for n in range(100)}) > 50

"""Drills are exported to calendars and closures imported from them; an invalid file is refused by name."""

import resource
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from orchestrator.adapters.icalendar_files import MAX_BYTES, read_blackouts, write_calendar
from orchestrator.adapters.icalendar_reading import RefusedError, closures
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.recovery.drill_calendar import Occurrence, drill_key, occurrences
from orchestrator.domain.recovery.fleet_calendar import Placed
from orchestrator.domain.selling.drill_policy import Blackout, DrillPolicy

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
YEAR = {"first": date(2027, 1, 1), "until": date(2028, 1, 1)}


def written(folder: Path, *events: str) -> Path:
    """A file with events, each given by its lines without UID and DTSTAMP."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:test"]
    for number, event in enumerate(events):
        lines += ["BEGIN:VEVENT", f"UID:{number}", "DTSTAMP:20260101T000000Z", *event.split(), "END:VEVENT"]
    path = folder / "closures.ics"
    path.write_bytes("\r\n".join([*lines, "END:VCALENDAR", ""]).encode())
    return path


def drills(policy: DrillPolicy) -> list[Placed]:
    found = occurrences(policy, agency="cabinet-office", component="desktop", after=NOW, count=20)
    return [Placed("cabinet-office", "desktop", "practice", o) for o in found if isinstance(o, Occurrence)]


class TestDrills:
    def test_become_separate_events(self) -> None:
        placed = drills(DrillPolicy())
        read = Calendar.from_ical(write_calendar(placed, lasts=timedelta(hours=2), stamped=NOW))
        events = list(read.walk("VEVENT"))
        assert [e.errors for e in events] == [[]] * 20
        for event, drill in zip(events, placed, strict=True):
            at = drill.occurrence.scheduled_at
            assert str(event["UID"]) == drill_key("cabinet-office", "desktop", at)
            assert (event["DTSTART"].dt, event["DTEND"].dt) == (at, at + timedelta(hours=2))
            assert str(event["SUMMARY"]) == "Recovery drill: desktop of cabinet-office"

    def test_carry_no_time_zone_but_utc(self) -> None:
        text = write_calendar(drills(DrillPolicy()), lasts=timedelta(hours=2), stamped=NOW).decode()
        assert "TZID" not in text
        assert text.count("Z\r\nDTEND:") == 20

    def test_cover_the_same_hours_when_written_and_read_back(self, tmp_path: Path) -> None:
        placed = drills(DrillPolicy())
        (tmp_path / "drills.ics").write_bytes(write_calendar(placed, lasts=timedelta(hours=2), stamped=NOW))
        found = read_blackouts(tmp_path / "drills.ics", first=date(2026, 1, 1), until=date(2040, 1, 1))
        starts = [drill.occurrence.scheduled_at for drill in placed]
        assert [(b.start, b.end) for b in found] == [(at, at + timedelta(hours=2)) for at in starts]

    def test_avoid_the_drills_that_were_read(self, tmp_path: Path) -> None:
        """Another agency's drills are read as blackouts."""
        theirs = drills(DrillPolicy())
        (tmp_path / "drills.ics").write_bytes(write_calendar(theirs, lasts=timedelta(hours=2), stamped=NOW))
        blackouts = read_blackouts(tmp_path / "drills.ics", first=date(2026, 1, 1), until=date(2040, 1, 1))
        for ours in drills(DrillPolicy(blackouts=blackouts)):
            at = ours.occurrence.scheduled_at
            assert all(abs(at - t.occurrence.scheduled_at) >= timedelta(hours=2) for t in theirs)


class TestBlackouts:
    def test_are_read_from_events_of_whole_days(self, tmp_path: Path) -> None:
        path = written(
            tmp_path,
            "DTSTART;VALUE=DATE:20271224 DTEND;VALUE=DATE:20271227 SUMMARY:Christmas",
            "DTSTART;VALUE=DATE:20270501 SUMMARY:Election",
        )
        assert read_blackouts(path, **YEAR) == (
            Blackout(start=date(2027, 5, 1), end=date(2027, 5, 1), why="Election"),
            Blackout(start=date(2027, 12, 24), end=date(2027, 12, 26), why="Christmas"),
        )

    @pytest.mark.parametrize(
        ("lines", "start", "end"),
        [
            ("DTSTART:20270102T100000Z DTEND:20270102T120000Z", "2027-01-02T10:00Z", "2027-01-02T12:00Z"),
            ("DTSTART;TZID=Europe/Paris:20270702T100000 DURATION:PT2H", "2027-07-02T08:00Z", "2027-07-02T10:00Z"),
            ("DTSTART:20270702T100000 DTEND:20270702T120000", "2027-07-02T10:00", "2027-07-02T12:00"),
        ],
    )
    def test_are_read_from_events_with_times(self, tmp_path: Path, lines: str, start: str, end: str) -> None:
        expected = Blackout.model_validate({"start": start, "end": end})
        assert read_blackouts(written(tmp_path, lines), **YEAR) == (expected,)

    def test_that_repeat_are_read_once_per_occurrence_in_their_local_time(self, tmp_path: Path) -> None:
        path = written(
            tmp_path,
            "DTSTART;TZID=Europe/London:20260101T090000 DTEND;TZID=Europe/London:20260101T110000"
            " RRULE:FREQ=MONTHLY EXDATE;TZID=Europe/London:20270801T090000",
        )
        found = read_blackouts(path, **YEAR)
        assert len(found) == 11
        assert {b.start.month: b.start.hour for b in found if isinstance(b.start, datetime)} == {
            1: 9, 2: 9, 3: 9, 4: 8, 5: 8, 6: 8, 7: 8, 9: 8, 10: 8, 11: 9, 12: 9,
        }  # fmt: skip

    def test_that_were_cancelled_are_left_out(self, tmp_path: Path) -> None:
        assert read_blackouts(written(tmp_path, "DTSTART;VALUE=DATE:20270501 STATUS:CANCELLED"), **YEAR) == ()

    def test_of_an_empty_calendar_are_an_empty_list(self, tmp_path: Path) -> None:
        assert read_blackouts(written(tmp_path), **YEAR) == ()


class TestABrokenFile:
    @pytest.mark.parametrize(
        ("lines", "problem"),
        [
            ("SUMMARY:Fair", "event 'Fair': has no DTSTART"),
            ("DTSTART:2027122T1000 DTEND:20271224T110000Z", "event '0': DTSTART: Expected datetime, date, or time"),
            ("DTSTART;TZID=Nowhere/Land:20271224T100000 DURATION:PT1H", "'Nowhere/Land' is not a known time zone"),
            ("DTSTART:20271224T100000Z", "has neither DTEND nor DURATION"),
            ("DTSTART:20271224T100000Z DTEND:20271223T100000Z", "which is not after its start"),
            ("DTSTART;VALUE=DATE:20271224 DTEND;VALUE=DATE:20271224", "which is not after its start"),
            ("DTSTART:20271224T100000Z DTEND;VALUE=DATE:20271226", "must both be days or both be times"),
            ("DTSTART:20271224T100000 DTEND:20271224T120000Z", "must both have a time zone or both have none"),
            ("DTSTART;VALUE=DATE:20271224 RRULE:FREQ=SOMETIMES", "RRULE: Expected frequency"),
            ("DTSTART;VALUE=DATE:20271224 RRULE:FREQ=SECONDLY", "RRULE: repeats SECONDLY"),
        ],
    )
    def test_is_refused_and_its_event_is_named(self, tmp_path: Path, lines: str, problem: str) -> None:
        path = written(tmp_path, lines)
        with pytest.raises(OrchestratorError) as caught:
            read_blackouts(path, **YEAR)
        assert caught.value.kind is Kind.INVALID
        assert str(path) in caught.value.message
        assert problem in caught.value.message

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            (b"hello", "is not an iCalendar file: Content line could not be parsed"),
            (b"", "is not an iCalendar file: Found no components"),
            (b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", "is not an iCalendar file"),
            (b"BEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\n", "it does not start with VCALENDAR"),
            (b"\xff\xfe\x00", "is not an iCalendar file"),
            (b"x" * (MAX_BYTES + 1), "is larger than"),
        ],
    )
    def test_is_refused_by_name(self, tmp_path: Path, content: bytes, problem: str) -> None:
        path = tmp_path / "broken.ics"
        path.write_bytes(content)
        with pytest.raises(OrchestratorError, match=problem) as caught:
            read_blackouts(path, **YEAR)
        assert str(path) in caught.value.message

    def test_that_does_not_exist_is_reported(self, tmp_path: Path) -> None:
        with pytest.raises(OrchestratorError, match="no such file"):
            read_blackouts(tmp_path / "none.ics", **YEAR)


def many(lines: str, count: int) -> list[str]:
    return [lines] * count


YEARLY_NEVER = "DTSTART:19000101T000000Z DURATION:PT1H RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31"


@pytest.mark.attack
@pytest.mark.slow
class TestAHostileCalendar:
    """Every one of these once took minutes or gigabytes, or ended in a stack trace."""

    @pytest.mark.parametrize(
        ("events", "problem"),
        [
            ([YEARLY_NEVER], ""),
            (many(YEARLY_NEVER, 200), "takes too long"),
            (many("DTSTART;VALUE=DATE:00010101 RRULE:FREQ=DAILY", 500), ""),
            (many("DTSTART;VALUE=DATE:20270101 RRULE:FREQ=DAILY;COUNT=99999999", 100), ""),
            (["DTSTART:20270101T000000Z DURATION:PT1M RRULE:FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=1,2,3"], "BYHOUR"),
            (["DTSTART:20270101T000000Z DURATION:-PT1H"], "it must be positive"),
            (["DTSTART:20270101T000000Z DURATION:PT0S"], "it must be positive"),
            (["DTSTART:20270101T000000Z DURATION:P99999999999D"], ""),
            (["DTSTART:20270101T000000Z DTEND:99991231T235959Z RRULE:FREQ=YEARLY;INTERVAL=999999999"], ""),
            (["DTSTART:20270101T000000Z DURATION:PT1H RRULE:FREQ=YEARLY;INTERVAL=0"], ""),
            (["DTSTART:20270101T000000Z DURATION:PT1H RDATE:99999999T999999Z"], ""),
            (["DTSTART:20270101T000000Z DURATION:PT1H RRULE:"], ""),
        ],
    )
    def test_is_read_or_refused_without_a_long_wait(self, tmp_path: Path, events: list[str], problem: str) -> None:
        path, before = written(tmp_path, *events), resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            read_blackouts(path, **YEAR)
        except OrchestratorError as refused:
            assert refused.kind is Kind.INVALID
            assert problem in "".join((refused.message, *refused.details)) or not problem
        else:
            assert not problem
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 8, "seconds of processor"
        ours = max(before.ru_maxrss, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        assert after.ru_maxrss < max(500_000, ours + 1), "kilobytes, as a child begins with what we take"

    def test_with_more_closures_than_any_calendar_has_is_refused(self, tmp_path: Path) -> None:
        path = written(tmp_path, *many("DTSTART;VALUE=DATE:20270101 RRULE:FREQ=DAILY;COUNT=99999999", 14))
        with pytest.raises(RefusedError, match="more than 5,000 closures"):
            closures(path.read_bytes(), **YEAR)

    def test_is_refused_with_all_its_problems_at_once(self, tmp_path: Path) -> None:
        path = written(tmp_path, "DTSTART:20270101T000000Z", "DTSTART:20270101T000000Z DURATION:PT0S")
        with pytest.raises(OrchestratorError, match="is refused") as caught:
            read_blackouts(path, **YEAR)
        assert len(caught.value.details) == 2

    @settings(max_examples=15)
    @given(
        rules=st.lists(
            st.sampled_from(
                ["FREQ=DAILY", "FREQ=YEARLY", "INTERVAL=0", "COUNT=-1", "BYDAY=9MO", "BYMONTHDAY=32", "UNTIL=1"]
            )
        )
    )
    def test_with_any_rule_is_read_or_refused(self, tmp_path_factory: pytest.TempPathFactory, rules: list[str]) -> None:
        path = written(tmp_path_factory.mktemp("calendar"), f"DTSTART;VALUE=DATE:20270101 RRULE:{';'.join(rules)}")
        with suppress(OrchestratorError):
            read_blackouts(path, **YEAR)

"""The page shows exactly what the evidence says, and nothing in it is active."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.adapters.pages.evidence.page import draw
from orchestrator.adapters.pages.wording import length
from orchestrator.domain.errors import OrchestratorError
from orchestrator.domain.recovery.evidence_seal import SealedEvidence, seal
from orchestrator.domain.recovery.verdict import Moment, Verdict
from tests.domain.recovery.drills import at, evidence, newer_evidence, phase
from tests.domain.recovery.test_evidence_seal import PlainKey


def page(**changes: Any) -> str:
    return draw(seal(evidence(**changes), PlainKey()))


class Reader(HTMLParser):
    """The text of a page, its elements and their attributes; fails on unclosed elements."""

    VOID = ("meta", "br", "line", "rect", "circle")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words = ""
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def words(**changes: Any) -> str:
    return re.sub(r"\s+", " ", Reader(page(**changes)).words)


class TestThePage:
    @pytest.mark.parametrize(
        "said",
        [
            "service-desk of cabinet-office", "Passed with findings", "the worst exposure was longer than promised",
            "4 min 4 s", "≤ 2 h 13 min 30 s", "promised: 4 h", "promised: 24 h",
            "catalogue, service-desk, tier standard, recovery", "first user served: 4 min 4 s", "last good record",
            "24 h 6 min: what could have been lost", "Integrity holds up to level 5 of 5", "1512 of 1520 records",
            "All 2 attempts to get out", "outgoing mail, scheduled reports", "Nothing was left", "ada.whitehall",
            "backups are farther apart than 24 h at times", "2 January 2027", "report due 7 January 2027",
            "moving users to the restored copy", "+0.0021 s from it, ± 0.0009 s", "drill verify drill-7.json",
        ],
    )  # fmt: skip
    def test_shows_what_the_evidence_says(self, said: str) -> None:
        assert said in words()

    @pytest.mark.parametrize(
        "said",
        [
            "eve.marsham", "got through", "blocked, too", "trying until users could work 55.6 s",
            "waiting for the recovery host 2.5 s", "set by +0.000 s between the last record that came back",
        ],
    )  # fmt: skip
    def test_shows_what_newer_evidence_says(self, said: str) -> None:
        assert said in re.sub(r"\s+", " ", Reader(draw(seal(newer_evidence(), PlainKey()))).words)

    def test_distinguishes_unread_canaries_from_canaries_that_were_never_promised(self) -> None:
        unread = {"interval_seconds": 900.0}
        said = [
            re.sub(r"\s+", " ", Reader(draw(seal(newer_evidence(rpo=unread, **more), PlainKey()))).words)
            for more in ({}, {"promised": {"levels": [1, 2, 3, 5], "attempts": {}}})
        ]
        assert "canariesnone were read" in said[0]
        assert "canariesthe component has none" in said[1]

    def test_carries_signature_digest_and_link(self) -> None:
        sealed = seal(evidence(), PlainKey())
        text = Reader(draw(sealed)).words
        assert all(part in text for part in (sealed.signature, sealed.digest, sealed.public_key, "d" * 64))

    def test_loads_nothing_and_runs_nothing(self) -> None:
        elements = Reader(page()).elements
        assert {tag for tag, _ in elements}.isdisjoint({"script", "link", "img", "iframe", "object", "form", "a"})
        assert not [name for _, attributes in elements for name in attributes if name.startswith("on")]
        assert not re.search(r"https?://|url\(|@import", page())

    def test_can_be_printed(self) -> None:
        assert "@page { size: A4" in page()
        assert "@media print" in page()

    def test_shows_markup_as_text(self) -> None:
        evil = '<script>alert(1)</script>"><b onload=x>'
        html = page(
            agency=evil, component=evil, reasons=[evil], requested_by=evil,
            findings=[{"what": evil, "due": "2027-01-02"}],
            phases=[phase(evil, 0, 5, evil, error=evil)], cleanup={"clean": False, "leftovers": [evil]},
            isolation={"attempts": [{"name": evil, "address": evil, "port": None, "blocked": True, "detail": evil}]},
        )  # fmt: skip
        assert "script" not in {tag for tag, _ in Reader(html).elements}
        assert Reader(html).words.count(evil) >= 8

    @pytest.mark.parametrize("verdict", list(Verdict))
    @pytest.mark.parametrize("moment", list(Moment))
    def test_can_be_drawn_for_every_verdict(self, verdict: Verdict, moment: Moment) -> None:
        assert words(verdict=verdict, t0_kind=moment, reasons=[], findings=[])


class TestHonesty:
    def test_a_recovery_that_was_given_up_is_shown_as_longer_than_the_wait(self) -> None:
        said = words(rto={"censored_limit_seconds": 14400.0})
        assert "> 4 h" in said
        assert "nobody served: > 4 h" in said
        assert "✗ not kept" in said
        assert "first user served" not in said.replace("from the disaster to the first user served", "")

    def test_a_wait_shorter_than_the_promise_decides_nothing(self) -> None:
        assert "Recovery time? not decided > 30 min" in words(rto={"censored_limit_seconds": 1800.0})

    def test_a_value_that_was_not_measured_is_not_shown_as_zero(self) -> None:
        said = words(rto={}, rpo={"interval_seconds": 900.0})
        assert "Recovery time? not decided not measured" in said
        assert "Recovery point? not decided not measured" in said
        assert "records lostnot measured" in said

    def test_a_recovery_one_second_too_long_is_shown_as_not_kept(self) -> None:
        assert "Recovery time✗ not kept 4 h 0 min 1 s" in words(rto={"seconds": 14401.0})

    def test_a_promise_within_the_uncertainty_is_left_undecided(self) -> None:
        said = words(rpo={"seconds": 86000.0, "upper_seconds": 86900.0, "interval_seconds": 900.0})
        assert "Recovery point? not decided" in said

    def test_no_attempt_to_get_out_proves_nothing(self) -> None:
        assert "nothing is known of whether anything could" in words(isolation={})

    def test_an_attempt_that_got_out_is_shown_first(self) -> None:
        leak = {"name": "mail", "address": "10.0.0.1", "port": 25, "blocked": False}
        assert "✗ 1 of 1 attempts to get out of the restored copy got through." in words(isolation={"attempts": [leak]})

    def test_an_approval_of_another_plan_does_not_count(self) -> None:
        other = {"who": "x", "at": at(0), "plan_digest": "another", "live_data": False, "expires_at": at(9)}
        assert "✗ another: another" in words(approvals=[other])

    def test_the_lack_of_any_backup_is_stated(self) -> None:
        said = words(pin={"snapshots": [], "chosen": None}, rpo={"interval_seconds": 900.0})
        assert "There was none." in said


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(-9e5, 9e5), st.floats(0, 9e5)), max_size=9),
    st.none() | st.floats(0, 1e7),
    st.none() | st.floats(0, 1e7),
)
def test_the_picture_stays_inside_its_frame(
    phases: list[tuple[float, float]], served: float | None, lost: float | None
) -> None:
    html = page(
        phases=[phase("step", start, start + took) for start, took in phases],
        rto={"seconds": served},
        rpo={"seconds": lost, "interval_seconds": 900.0},
    )
    for tag, attributes in Reader(html).elements:
        for name in ("x", "x1", "x2", "cx") if tag in ("line", "rect", "circle", "text") else ():
            assert 0 <= float(attributes.get(name) or 0) <= 720


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "not measured"), (0, "0 s"), (0.04, "0 s"), (12.5, "12.5 s"), (59.9, "59.9 s"), (60, "1 min"),
        (243.6, "4 min 4 s"), (14400, "4 h"), (14401, "4 h 0 min 1 s"), (86760, "24 h 6 min"), (3 * 86400, "3 d"),
        (61 * 3600, "2 d 13 h"), (172799, "47 h 59 min 59 s"),
        (3 * 86400 + 7300, "3 d 2 h"),
    ],
)  # fmt: skip
def test_a_length_of_time_is_shown_in_suitable_units(seconds: float | None, said: str) -> None:
    assert length(seconds) == said


def test_a_document_that_is_not_evidence_is_refused() -> None:
    odd = seal(evidence(), PlainKey()).document() | {"evidence": {"drill": 7}}
    with pytest.raises(OrchestratorError, match="this is not evidence of a drill"):
        draw(SealedEvidence.model_validate(odd))

"""Drills and backups on the command line, as far as they need no recovery host."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.adapters.keys.evidence_signing import EvidenceSigner
from orchestrator.bootstrap import build
from orchestrator.domain.recovery.evidence_head import Head, seal_head
from orchestrator.domain.recovery.evidence_seal import seal
from orchestrator.settings import Settings
from orchestrator.usecases.recovery.recalling import Recalling
from tests.domain.recovery.drills import evidence
from tests.entrypoints.cli.conftest import CommandLine, InProcess


class TestWithoutAnything:
    def test_lists_are_empty(self, swift: InProcess) -> None:
        assert swift.json("drill", "list") == {"drills": []}
        assert swift.json("drill", "calendar") == {"slots": []}
        assert swift.json("backup", "list") == {"backups": []}
        assert swift.json("backup", "held") == {"held": []}

    @pytest.mark.parametrize(
        "words",
        [("drill", "show", 9), ("drill", "report", 9), ("drill", "approve", 9), ("drill", "start", "nobody"),
         ("drill", "list", "--agency", "nobody"), ("drill", "calendar", "--agency", "nobody"),
         ("backup", "start", "nobody"), ("backup", "list", "--agency", "nobody"),
         ("backup", "held", "--agency", "nobody"), ("backup", "destroy", "nobody"),
         ("backup", "password", "nobody", "desk.d1", "/nowhere/at/all")],
        ids=lambda words: " ".join(map(str, words)),
    )  # fmt: skip
    def test_what_does_not_exist_is_not_found(self, swift: InProcess, words: tuple[object, ...]) -> None:
        assert "there is no" in swift(*words, expect=4).stderr


class TestAnAgencyWithoutBackups:
    @pytest.mark.slow
    def test_is_refused_with_what_it_needs(self, orchestrator: CommandLine) -> None:
        orchestrator("apply", orchestrator.order(), "--yes")
        for words in (("backup", "start", "test-agency"), ("drill", "start", "test-agency")):
            said = orchestrator(*words, expect=5).stderr
            assert "disaster-recovery" in said


class TestAnAgencyThatLeft:
    @pytest.mark.slow
    def test_has_its_backups_held_until_somebody_destroys_them(self, orchestrator: CommandLine) -> None:
        agency, file = "test-agency", orchestrator.folder / "password"
        orchestrator("apply", orchestrator.order(services={"alpha": {}, "disaster-recovery": {}}), "--yes")
        orchestrator("agency", "offboard", agency, "--yes-destroy", agency)
        [held] = orchestrator.json("backup", "held")["held"]
        assert held["agency"] == agency
        assert "Backups are held on here until" in orchestrator("agency", "show", agency).stdout
        orchestrator("backup", "password", agency, "alpha.here", file)
        assert (file.stat().st_mode & 0o777, len(file.read_text())) == (0o600, 65)
        assert "File exists" in orchestrator("backup", "password", agency, "alpha.here", file, expect=2).stderr
        assert "must be held until" in orchestrator("backup", "destroy", agency, "--yes", expect=5).stderr
        early = ("backup", "destroy", agency, "--early", "asked for in writing")
        assert "--yes" in orchestrator(*early, expect=2).stderr
        run = orchestrator.json(*early, "--yes")
        assert (run["kind"], run["state"]) == ("destroy", "succeeded")
        assert orchestrator.json("backup", "held")["held"] == []
        assert orchestrator.json("agency", "show", agency)["allocations"] == {}


def signed(signer: EvidenceSigner, **since: float) -> str:
    """Evidence of a drill that ended, or will end, at some time."""
    ended = datetime.now(UTC) - timedelta(**since)
    dated = {"t0": ended - timedelta(minutes=5), "finished_at": ended}
    return json.dumps(seal(evidence().model_copy(update=dated), signer).document())


@pytest.fixture
def document(swift: InProcess) -> Path:
    """Signed by this orchestrator."""
    file = swift.folder / "drill.json"
    file.write_text(signed(EvidenceSigner(swift.home / "evidence.key"), days=1))
    return file


class TestAReport:
    def test_is_written_beside_the_state_unless_a_place_is_named(
        self, swift: InProcess, document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Recalling, "evidence", lambda *_: document.read_text())
        monkeypatch.chdir(tmp_path)
        before = set(tmp_path.iterdir())
        said = swift("drill", "report", 7).stdout
        page = swift.home / "reports" / "drill-7.html"
        assert f"Written: {page}" in said
        assert page.read_text().startswith("<!DOCTYPE html>")
        assert set(tmp_path.iterdir()) == before
        swift("drill", "report", 7, "--out", tmp_path / "here.html")
        assert (tmp_path / "here.html").exists()


class TestEvidence:
    def test_holds_offline_with_the_public_key_alone(self, swift: InProcess, document: Path) -> None:
        public = swift.folder / "public.pem"
        public.write_text(swift("drill", "key").stdout)
        assert swift.json("drill", "verify", document) == {"files": [str(document)], "problems": []}
        (swift.home / "orchestrator.db").unlink()
        assert "Valid" in swift("drill", "verify", document, "--key", public).stdout

    def test_that_was_changed_is_refused_and_the_field_named(self, swift: InProcess, document: Path) -> None:
        changed = json.loads(document.read_text())
        changed["evidence"]["rto"]["seconds"] = 1.0
        document.write_text(json.dumps(changed))
        assert "evidence.rto.seconds" in swift("drill", "verify", document, expect=1).stderr

    def test_of_another_installation_is_refused(self, swift: InProcess, document: Path, tmp_path: Path) -> None:
        other = InProcess(tmp_path / "other", capture=swift.capture)
        other("init")
        assert "public_key" in other("drill", "verify", document, expect=1).stderr


class TestTheHead:
    def test_of_no_evidence_holds_and_an_old_document_does_not_match_a_newer_head(
        self, swift: InProcess, document: Path
    ) -> None:
        file = swift.folder / "head.json"
        file.write_text(swift("drill", "head").stdout)
        assert json.loads(file.read_text())["head"]["count"] == 0
        ours = EvidenceSigner(swift.home / "evidence.key")
        head = Head(count=2, last="a" * 64, at=datetime.now(UTC))
        file.write_text(json.dumps(seal_head(head, ours).document()))
        assert "Valid" in swift("drill", "verify", document).stdout
        said = swift("drill", "verify", document, "--head", file, expect=1).stderr
        assert "head.json" in said

    def test_is_kept_in_the_state_directory(self, swift: InProcess) -> None:
        with build(Settings(home=swift.home)) as built:
            built.evidence.keep_head()
        assert json.loads((swift.home / "evidence.head").read_text())["head"]["last"] is None

    def test_that_is_not_a_head_is_refused(self, swift: InProcess, document: Path) -> None:
        assert "is not a head of evidence" in swift("drill", "verify", document, "--head", document, expect=1).stderr


class TestANewKeyOfEvidence:
    def test_leaves_evidence_signed_with_the_old_key_valid(self, swift: InProcess, document: Path) -> None:
        before, old = swift("drill", "key").stdout, EvidenceSigner(swift.home / "evidence.key")
        swift("secret", "rotate", "--evidence")
        assert swift("drill", "key").stdout != before
        assert swift.json("drill", "verify", document)["problems"] == []
        keys = swift.folder / "keys.json"
        keys.write_text(swift("drill", "key", "--all").stdout)
        assert [bool(one["until"]) for one in json.loads(keys.read_text())["keys"]] == [True, False]
        new = swift.folder / "new.json"
        new.write_text(signed(EvidenceSigner(swift.home / "evidence.key"), days=1))
        for file in (document, new):
            assert "Valid" in swift("drill", "verify", file, "--key", keys).stdout
        (swift.folder / "old.pem").write_text(before)
        assert "public_key" in swift("drill", "verify", new, "--key", swift.folder / "old.pem", expect=1).stderr
        # Signatures of the old key are valid until then, and no longer.
        document.write_text(signed(old, hours=-1))
        assert "signed until" in swift("drill", "verify", document, expect=1).stderr

    def test_that_was_created_half_way_is_used_by_the_next_call(self, swift: InProcess, document: Path) -> None:
        key, kept = swift.home / "evidence.key", (swift.home / "evidence.key").read_bytes()
        swift("secret", "rotate", "--evidence")
        new = key.read_bytes()
        # As if it had been killed before its last step.
        key.with_suffix(".next").write_bytes(new)
        key.with_suffix(".next").chmod(0o600)
        key.write_bytes(kept)
        document.write_text(signed(EvidenceSigner(key), hours=-1))
        assert swift.json("drill", "verify", document)["problems"] == [], "it is in force still"
        swift("secret", "rotate", "--evidence")
        assert key.read_bytes() == new
        assert len(json.loads(swift("drill", "key", "--all").stdout)["keys"]) == 2

    @pytest.mark.parametrize("content", ["{}", '{"keys": []}', '{"keys": [{"public_key": "AA"}]}', '{"keys": 7}', "{"])
    def test_is_refused_in_an_invalid_list_of_keys(self, swift: InProcess, document: Path, content: str) -> None:
        keys = swift.folder / "keys.json"
        keys.write_text(content)
        said = swift("drill", "verify", document, "--key", keys, expect=2).stderr
        assert "does not hold a list of public keys" in said

    def test_is_not_made_together_with_another_secret(self, swift: InProcess) -> None:
        assert "only one kind of secret" in swift("secret", "rotate", "a-one", "--evidence", expect=2).stderr


class TestBlackouts:
    def test_become_a_section_of_a_call_off(self, swift: InProcess) -> None:
        year = datetime.now(UTC).year + 1
        file = swift.folder / "closures.ics"
        lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:test", "BEGIN:VEVENT", "UID:1", "DTSTAMP:20260101T000000Z"]
        lines += [f"DTSTART;VALUE=DATE:{year}0301", f"DTEND;VALUE=DATE:{year}0303", "SUMMARY:Stocktaking"]
        file.write_text("\r\n".join([*lines, "END:VEVENT", "END:VCALENDAR", ""]))
        said = swift("drill", "blackouts", file).stdout
        assert "recovery:\n  blackouts:\n" in said
        assert f'"start": "{year}-03-01"' in said
        assert "Stocktaking" in said

    def test_from_a_file_that_is_not_a_calendar_are_refused(self, swift: InProcess) -> None:
        file = swift.folder / "closures.ics"
        file.write_text("not a calendar")
        assert "closures.ics" in swift("drill", "blackouts", file, expect=2).stderr

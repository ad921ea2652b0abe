"""What a person logs in with is written to a file of its own, and shown nowhere."""

from datetime import UTC, datetime

from orchestrator.adapters.database.connection import connect
from orchestrator.adapters.database.store import SqlStore
from orchestrator.adapters.keys.secret_box import SecretBox
from orchestrator.domain.runs.assignment import password_of
from tests.conftest import ROOT
from tests.entrypoints.cli.conftest import InProcess

ORDER = (ROOT / "examples/cabinet-office.yml").read_text().partition("services:")[0] + "services:\n"
SECRETS = {"users_password": "a secret of the tests", "users_totp": "another secret of the tests"}


def ordered(ours: InProcess) -> None:
    """An agency whose services have secrets, as its first steps make them."""
    file = ours.folder / "my-agency.yml"
    file.write_text(f"{ORDER}  flexible-working: {{tier: standard, parameters: {{users: [ada]}}}}\n")
    ours("apply", file, "--yes", "--no-follow")
    box = SecretBox(ours.home / "secret.key")
    with SqlStore(connect(f"sqlite:///{ours.home}/orchestrator.db")).begin() as tx:
        for name, secret in SECRETS.items():
            tx.secrets.add("cabinet-office", "flexible-working", name, box.seal(secret), at=datetime.now(UTC))


def test_a_file_for_one_person_is_written_and_nothing_is_shown(ours: InProcess) -> None:
    ordered(ours)
    file, words = ours.folder / "ada", ("secret", "hand-out", "cabinet-office", "flexible-working")
    said = ours(*words, "ada", file)
    assert file.stat().st_mode & 0o777 == 0o600
    person, password, code = file.read_text().splitlines()
    assert (person, password) == ("person: ada", f"password: {password_of('ada', SECRETS['users_password'])}")
    assert code.startswith("one-time codes: otpauth://totp/Cabinet%20Office:ada?secret=")
    assert not any(line.partition(": ")[2] in said.stdout + said.stderr for line in (password, code))
    assert "cannot be created" in ours(*words, "ada", file, expect=2).stderr, "nothing is overwritten"
    assert "nobody called 'eve'" in ours(*words, "eve", ours.folder / "eve", expect=4).stderr
    assert not (ours.folder / "eve").exists()

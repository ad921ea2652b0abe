"""What tests cost is counted once, whichever hosts come and go meanwhile."""

from pathlib import Path

import pytest

from tests import budgets
from tests.budgets import Usage


class TestUsage:
    @pytest.fixture
    def groups(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(budgets, "control_groups", lambda: tmp_path)
        return tmp_path

    def used(self, groups: Path, host: str, seconds: float) -> None:
        (groups / host).mkdir(exist_ok=True)
        (groups / host / "cpu.stat").write_text(f"usage_usec {int(seconds * 1e6)}\nuser_usec 0\n")

    def test_counts_a_restarted_host_beside_one_that_continues(self, groups: Path) -> None:
        usage = Usage("*")
        self.used(groups, "desk1", 100)
        self.used(groups, "gw1", 10)
        assert usage.read() == 110
        self.used(groups, "gw1", 1)
        assert usage.read() == 111, "desk1 is not counted twice"
        self.used(groups, "desk1", 101)
        assert usage.read() == 112

    def test_counts_a_host_that_is_gone(self, groups: Path) -> None:
        usage = Usage("*")
        self.used(groups, "desk1", 100)
        usage.read()
        (groups / "desk1/cpu.stat").unlink()
        (groups / "desk1").rmdir()
        assert usage.read() == 100
        assert usage.read() == 100
        self.used(groups, "desk1", 3)
        assert usage.read() == 103

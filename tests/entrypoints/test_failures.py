"""One table maps kinds of failure to exit codes and statuses."""

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.entrypoints.failures import CHANGES_PENDING, INTERRUPTED, MEANING, OUR_BUG, sentences


def test_the_table_covers_every_kind_and_nothing_else() -> None:
    assert set(MEANING) == set(Kind)


def test_no_two_meanings_share_an_exit_code() -> None:
    codes = [m.exit_code for m in MEANING.values()] + [CHANGES_PENDING, INTERRUPTED, OUR_BUG, 0]
    assert len(set(codes)) == len(codes)


def test_an_error_shows_what_happened_then_why_then_what_to_do() -> None:
    error = OrchestratorError(Kind.CONFLICT, "it is so", details=("one\ntwo",), hint="do that")
    assert sentences(error) == ["it is so", "  one", "  two", "What to do: do that"]

"""What may be created, and what must be restored: every possible combination of parts."""

from itertools import product

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.installation import Parts, refuse_to_make_anew, require_whole

WHOLE = Parts(home="a", tables=True, database="a", key=True, fits=True, sealed=True, signing_key=True)


def every_combination() -> list[Parts]:
    marks, truth = (None, "a", "b"), (True, False)
    found = [
        Parts(home=home, tables=tables, database=database, key=key, fits=fits, sealed=sealed, signing_key=signing)
        for home, tables, database, key, fits, sealed, signing in product(marks, truth, marks, *[truth] * 4)
    ]
    # An empty database has no mark and nothing sealed; if nothing is sealed, or there is no key, any key fits.
    return [
        p
        for p in found
        if (p.tables or not (p.database or p.sealed))
        and (p.fits or (p.sealed and p.key))
        and (p.sealed or not p.database)
    ]


def allowed(check: object, parts: Parts) -> bool:
    try:
        check(parts)  # type: ignore[operator]
    except OrchestratorError as refused:
        assert refused.hint
        return False
    return True


class TestCommands:
    def test_work_only_with_a_whole_installation(self) -> None:
        worked_with = [p for p in every_combination() if allowed(require_whole, p)]
        assert WHOLE in worked_with
        for p in worked_with:
            assert p.tables
            assert p.home is not None
            assert p.home == p.database
            assert p.key
            assert p.fits
            assert p.signing_key

    def test_say_how_to_create_an_installation_where_there_is_none(self) -> None:
        nothing = Parts(home=None, tables=False, database=None, key=False, fits=True, sealed=False, signing_key=False)
        with pytest.raises(OrchestratorError) as refused:
            require_whole(nothing)
        assert (refused.value.kind, refused.value.hint) == (Kind.NOT_FOUND, "run: orchestrator init")


class TestInit:
    def test_creates_no_database_for_a_directory_that_has_lost_one(self) -> None:
        assert not [p for p in every_combination() if p.home and not p.tables and allowed(refuse_to_make_anew, p)]

    def test_creates_no_key_for_secrets_that_are_already_sealed(self) -> None:
        assert not [p for p in every_combination() if p.sealed and not p.key and allowed(refuse_to_make_anew, p)]

    def test_keeps_no_key_that_opens_nothing(self) -> None:
        assert not [p for p in every_combination() if not p.fits and allowed(refuse_to_make_anew, p)]

    def test_never_joins_parts_of_two_installations(self) -> None:
        mixed = [p for p in every_combination() if p.home and p.database and p.home != p.database]
        assert not [p for p in mixed if allowed(refuse_to_make_anew, p)]

    def test_continues_wherever_it_was_interrupted(self) -> None:
        """The keys are created first, then the database, its mark, and the mark of the state directory."""
        so_far = Parts(home=None, tables=False, database=None, key=False, fits=True, sealed=False, signing_key=False)
        for done in ({}, {"key": True}, {"signing_key": True}, {"tables": True}, {"database": "a", "sealed": True}):
            so_far = so_far.model_copy(update=done)
            assert allowed(refuse_to_make_anew, so_far)
        assert allowed(require_whole, so_far.model_copy(update={"home": "a"}))

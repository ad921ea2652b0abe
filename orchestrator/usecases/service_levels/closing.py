"""Closing months: the findings become a permanent statement, and later findings become another version of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.domain.calendars.months import CalendarMonth
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.agency import AgencyRecord
from orchestrator.domain.service_levels.closed_month import ClosedMonth, CreditNote
from orchestrator.domain.service_levels.figures import Figures
from orchestrator.domain.value import Value
from orchestrator.ports.store import Store, Transaction
from orchestrator.usecases.finding import find_agency
from orchestrator.usecases.service_levels.judging import Judging, MonthJudgement


class Closing(Value):
    """What closing did to one month of one agency. `changed` is false if the statement stayed the same."""

    agency: str
    month: str
    version: int
    changed: bool
    figures: Figures
    credit_notes: tuple[CreditNote, ...]


@dataclass(frozen=True)
class MonthEnd:
    store: Store
    judging: Judging

    def close(self, month: CalendarMonth, agency: str | None = None, *, why: str = "new evidence") -> Iterator[Closing]:
        """Close the month of every agency that had something in service, or of one agency. Restate a closed month whose
        figures have changed, with the later months whose repeated failures change with it.

        Each agency has its own transaction. Raises CONFLICT if the month is not over or the month before is not closed;
        NOT_FOUND if there is nothing to close.
        """
        records = self._agencies(month, agency)
        if not records:
            raise OrchestratorError(Kind.NOT_FOUND, f"no agency had anything in service in {month}")
        for record in records:
            with self.store.begin() as tx:
                yield from self._close(tx, record, month, why=why)

    # Inside

    def _agencies(self, month: CalendarMonth, agency: str | None) -> list[AgencyRecord]:
        with self.store.read() as tx:
            wanted = [find_agency(tx, agency)] if agency else tx.agencies.all()
            return [record for record in wanted if self.judging.served(tx, record, month)]

    def _close(self, tx: Transaction, record: AgencyRecord, month: CalendarMonth, *, why: str) -> Iterator[Closing]:
        before = tx.months.get(record.id, month)
        if before is None:
            self._refuse_gap(tx, record, month)
            judged = self.judging.judged(tx, record, self.judging.records(tx, record, month))
            after = ClosedMonth.close(
                record.id,
                month,
                judged.figures,
                record=judged.record.model_dump(mode="json"),
                at=self.judging.clock.now(),
                zone=judged.record.terms.hours.zone,
            )
        else:
            judged = self._judge_again(tx, record, before)
            document, now = judged.record.model_dump(mode="json"), self.judging.clock.now()
            after = before.restated(judged.figures, record=document, at=now, why=why)
        if changed := after != before:
            tx.months.add_version(after, judged.record)
        yield _told(after, changed=changed)
        if (later := tx.months.get(record.id, month.following)) and later.outdated_by(after):
            yield from self._close(tx, record, month.following, why=f"{month} was restated")

    def _judge_again(self, tx: Transaction, record: AgencyRecord, closed: ClosedMonth) -> MonthJudgement:
        """Judge by what was agreed and charged when the month was first closed."""
        before = tx.months.record(record.id, closed.month)
        found = self.judging.records(tx, record, closed.month, before.terms).agreed_as_in(before)
        return self.judging.judged(tx, record, found, charged=closed.versions[0].figures.charges)

    def _refuse_gap(self, tx: Transaction, record: AgencyRecord, month: CalendarMonth) -> None:
        preceding = month.preceding
        if self.judging.served(tx, record, preceding) and tx.months.get(record.id, preceding) is None:
            raise OrchestratorError(
                Kind.CONFLICT,
                f"{preceding} of {record.id} is not closed, and targets missed in it double the points of {month}",
                hint=f"close it first: orchestrator sla close {preceding}",
            )


def _told(month: ClosedMonth, *, changed: bool) -> Closing:
    return Closing(
        agency=month.agency,
        month=str(month.month),
        version=month.current.version,
        changed=changed,
        figures=month.current.figures,
        credit_notes=month.credit_notes,
    )

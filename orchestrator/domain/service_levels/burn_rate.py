"""How fast a budget of downtime may burn before somebody is called."""

from decimal import Decimal


def burn_rate(budget: Decimal, *, period: int, window: int) -> Decimal | None:
    """The burn rate at which a share of a period's budget, 0 to 1, is gone within a window.

    Both are eligible seconds: with service hours of 200 h a month, 2 % in one hour is a rate of 4, where round the
    clock it is 14.4. None for a window without service time, in which nothing burns.

    https://sre.google/workbook/alerting-on-slos/
    """
    return budget * period / window if window else None

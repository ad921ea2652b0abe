"""Renders families and a snapshot as Prometheus text format 0.0.4 or OpenMetrics 1.0.

A line is an f-string around label text that is built once for each label set; all states of a service are one piece of
text. The exposition comes in slices, so that other threads never wait for more than one of them: joining a million
lines at once would block them.

https://prometheus.io/docs/instrumenting/exposition_formats/
https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from math import isfinite
from typing import Any, TypeVar

from pydantic_core import to_json

from orchestrator.adapters.exposition.families import AnyFamily, Family, HistogramFamily, Row, StateFamily
from orchestrator.ports.figures import BOUNDS, Histogram, Snapshot

SLICE = 500
"""Rows rendered in one go; in a family of states, each is several lines."""

_HERE = "\0"
"""Placeholder for the label text in a template. Our own text cannot contain it."""

_END = "} "

T = TypeVar("T")


class LabelText(dict[tuple[str, ...], str]):
    """A family's label values -> the text between name and figure: braces, labels, a space."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        places = sorted((name, place) for place, name in enumerate(names))
        labels = ",".join(f'{name}="{{{place}}}"' for name, place in places)
        self._template = "{{" + labels + "}} " if names else " "

    def __missing__(self, values: tuple[str, ...]) -> str:
        self[values] = text = self._template.format(*map(escape_label, values))
        return text


class Renderer:
    """Renders the same families repeatedly. A slice with unchanged rows is not rendered again: most figures stay the
    same between scrapes. The cache is as large as one exposition, about a hundred bytes per series.
    """

    def __init__(self, families: Sequence[AnyFamily]) -> None:
        self._families = families
        self._kept: dict[tuple[str, int], tuple[tuple[Any, ...], bytes]] = {}
        """(family, number of the slice) -> its rows and its text, the same for both formats."""

    def render(self, snapshot: Snapshot, *, openmetrics: bool) -> Iterator[bytes]:
        """The exposition, slice by slice, in the order of the families and of the snapshot."""
        texts: dict[tuple[str, ...], LabelText] = {}
        for family in self._families:
            yield _head(family, openmetrics=openmetrics).encode()
            yield from self._slices(family, texts.setdefault(family.labels, LabelText(family.labels)), snapshot)
        if openmetrics:
            yield b"# EOF\n"
        for text in texts.values():
            while text:  # also in pieces: freeing it at once blocks all threads
                text.popitem()

    def _slices(self, family: AnyFamily, text: LabelText, snapshot: Snapshot) -> Iterator[bytes]:
        lines, number = _lines(family, text), 0
        for number, rows in enumerate(slices(family.rows(snapshot)), start=1):
            before, content = self._kept.get((family.name, number), (None, b""))
            if before != rows:
                content = "".join(lines(rows)).encode()
                self._kept[family.name, number] = rows, content
            yield content
        while self._kept.pop((family.name, number := number + 1), None):
            pass  # there are fewer now


def slices(rows: Iterable[T]) -> Iterator[tuple[T, ...]]:
    walk = iter(rows)
    while part := tuple(islice(walk, SLICE)):
        yield part


def _head(family: AnyFamily, *, openmetrics: bool) -> str:
    """HELP and TYPE. Only OpenMetrics has the type info, and names a family without its suffix."""
    kind = _TYPES.get(type(family)) or getattr(family, "type", "")
    suffix = getattr(family, "suffix", "")
    name, help_text = family.name, family.help.replace("\\", "\\\\").replace("\n", "\\n")
    if openmetrics:
        help_text = help_text.replace('"', '\\"')
    else:
        name, kind = name + suffix, "gauge" if kind == "info" else kind
    return f"# HELP {name} {help_text}\n# TYPE {name} {kind}\n"


_TYPES = {StateFamily: "gauge", HistogramFamily: "histogram"}


def _lines(family: AnyFamily, text: LabelText) -> Callable[[Any], list[str]]:
    """A function that turns a slice of the family's rows into lines."""
    match family:
        case Family():
            return partial(_plain, family.name + family.suffix, text)
        case StateFamily():
            return partial(_states, _templates(family), text)
        case HistogramFamily():
            return partial(_buckets, family.name, text)


def _plain(name: str, text: LabelText, rows: tuple[Row, ...]) -> list[str]:
    figures = [row[-1] for row in rows]
    return [f"{name}{text[row[:-1]]}{n}\n" for row, n in zip(rows, _numbers(figures), strict=True)]


def _numbers(figures: list[Any]) -> list[str]:
    """Numbers in the notation of both formats. pydantic's JSON writes long fractions four times as fast as Python."""
    if not isfinite(sum(figures)):  # one of them is not finite, or the sum overflows
        return [number(figure) for figure in figures]
    return to_json(figures).decode()[1:-1].split(",")


def _states(templates: dict[str, str], text: LabelText, rows: tuple[tuple[str, ...], ...]) -> list[str]:
    return [templates[row[-1]].replace(_HERE, text[row[:-1]].removesuffix(_END)) for row in rows]


def _templates(family: StateFamily) -> dict[str, str]:
    """State -> the lines of a service instance in that state."""
    templates: dict[str, str] = defaultdict(str)
    for state in family.states:
        for other in family.states:
            templates[state] += f'{family.name}{_HERE},state="{other}"{_END}{float(other == state)}\n'
    return templates


def _buckets(name: str, text: LabelText, histograms: tuple[Histogram, ...]) -> list[str]:
    lines = []
    for h in histograms:
        where = text[h.labels].removesuffix(_END)
        for bound, count in zip(BOUNDS, h.at_most, strict=True):
            lines.append(f'{name}_bucket{where},le="{bound}"{_END}{float(count)}\n')
        lines.append(f'{name}_bucket{where},le="+Inf"{_END}{float(h.count)}\n')
        lines.append(f"{name}_count{where}{_END}{float(h.count)}\n")
        lines.append(f"{name}_sum{where}{_END}{number(h.total_seconds)}\n")
    return lines


def escape_label(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def number(value: float) -> str:
    """The number in the notation of both formats."""
    if isfinite(value):
        return repr(float(value))
    return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"

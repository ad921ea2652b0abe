"""YAML files that people write: read with line numbers, and checked against JSON Schemas."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pydantic
import yaml

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.files import read_text
from orchestrator.ports.catalog import Problem

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator, ValidationError

V = TypeVar("V", bound=pydantic.BaseModel)

MAX_BYTES = 256_000
"""A call-off is a page of text; anything near this size is a mistake or an attack."""

MAX_DEPTH = 30

TIMESTAMP = "tag:yaml.org,2002:timestamp"
COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class YamlDocument:
    """Plain data, and the line on which each part starts."""

    file: str
    data: Any
    lines: Mapping[Path_, int]

    def line_of(self, path: Sequence[str | int]) -> int | None:
        """The line of the part, or of its nearest parent in the file."""
        for length in range(len(path), -1, -1):
            if line := self.lines.get(tuple(path[:length])):
                return line
        return None

    def problem(self, path: Sequence[str | int], message: str) -> Problem:
        return Problem(file=self.file, line=self.line_of(path), path=".".join(map(str, path)), message=message)

    def check(self, schema: Mapping[str, Any]) -> list[tuple[Path_, Problem]]:
        found = {path: self.problem(path, message) for path, message in violations(schema, self.data)}
        return sorted(found.items(), key=lambda pair: (pair[1].line or 0, pair[1].path))


def violations(schema: Mapping[str, Any], data: Any) -> Iterator[tuple[Path_, str]]:
    """Where data violates a schema of draft 2020-12, and how, in the words of `x-expected` if the schema has them.
    `x-differ-in` lists properties in each of which the items of a list must differ."""
    for error in _validator(schema).iter_errors(data):
        yield from _explain(error, schema)


def _validator(schema: Mapping[str, Any]) -> "Draft202012Validator":
    """Patterns are matched in time that grows with the text only, so they have no look-around."""
    from jsonschema_rs import Draft202012Validator, RegexOptions

    return Draft202012Validator(
        dict(schema), validate_formats=True, pattern_options=RegexOptions(), keywords={"x-differ-in": _Differ}
    )


@dataclass(frozen=True)
class _Differ:
    """The keyword `x-differ-in`: an error says that items are alike, and `_alike` which."""

    holder: Mapping[str, Any]
    keys: Sequence[str]
    at: Sequence[str | int]

    def validate(self, parts: object) -> None:
        if any(_alike(parts, self.keys)):
            raise ValueError("has items that are alike")


def _alike(parts: object, keys: Sequence[str]) -> Iterator[tuple[Path_, str]]:
    """Places and values that an earlier item of a list has too."""
    told = [part if isinstance(part, dict) else {} for part in parts] if isinstance(parts, list) else []
    for key in keys:
        found = [part.get(key) for part in told]
        for n, value in enumerate(found):
            if value is not None and value in found[:n]:
                yield (n, key), f"{value!r} is listed twice"


def _explain(error: "ValidationError", schema: Mapping[str, Any]) -> Iterator[tuple[Path_, str]]:
    path: Path_ = tuple(error.instance_path)
    holder: Any = reduce(getitem, error.schema_path[:-1], schema)  # type: ignore[arg-type]
    keyword, instance = error.schema_path[-1], cast("Any", error.instance)
    if keyword == "additionalProperties":
        allowed = sorted(holder.get("properties", {}))
        yield from (((*path, key), _unknown_key(key, allowed)) for key in instance if key not in allowed)
    elif keyword == "required":
        yield from (((*path, key), "is required") for key in holder[keyword] if key not in instance)
    elif keyword == "x-differ-in":
        yield from (((*path, *at), message) for at, message in _alike(instance, holder[keyword]))
    elif keyword == "enum":
        known = holder[keyword]
        yield path, f"{instance!r} is not one of {', '.join(map(str, known))}{_suggestion(instance, known)}"
    else:
        expected = holder.get("x-expected")
        yield path, f"{_shown(instance)}: {expected}" if expected else _shorten(error.message)


def _unknown_key(key: object, allowed: Sequence[str]) -> str:
    return f"unknown key{_suggestion(key, allowed)}; known here: {', '.join(allowed) or 'none'}"


def _suggestion(word: object, known: Sequence[Any]) -> str:
    close = get_close_matches(str(word), [str(k) for k in known], n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def _shown(value: object) -> str:
    return _shorten(repr(value), 60)


def _shorten(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def read_yaml(path: Path) -> YamlDocument:
    """Read the document in a file. Raises INVALID with file and line if it cannot be read."""
    text = read_text(path, at_most=MAX_BYTES)
    try:
        _refuse_what_blows_up(text, path)
        loader = yaml.CSafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            raise _invalid(path, 1, "is empty")
        reading = _Reading(path, loader)
        return YamlDocument(file=str(path), data=reading.value_of(node, ()), lines=reading.lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _invalid(path, mark.line + 1 if mark else None, error.problem or "is not YAML") from None
    except (yaml.YAMLError, ValueError) as error:
        raise _invalid(path, None, f"is not YAML: {_shorten(str(error))}") from None


def role_file(file: Path) -> Any:
    """A YAML file of a role, empty if it is missing. It is ours, so aliases are allowed, and nobody asks for lines."""
    return (yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {}) if file.is_file() else {}


def _refuse_what_blows_up(text: str, path: Path) -> None:
    """Refuse deep nesting, which breaks recursive parsers, and aliases, which make a small file large."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else None
        if isinstance(event, yaml.AliasEvent):
            raise _invalid(path, line, "aliases (&name, *name) are not allowed")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _invalid(path, line, f"is nested more than {MAX_DEPTH} levels deep")


def _invalid(path: Path, line: int | None, message: str) -> OrchestratorError:
    return OrchestratorError(Kind.INVALID, str(Problem(file=str(path), line=line, path="", message=message)))


@dataclass
class _Reading:
    """Turns nodes into plain data and records every part's line. Keys and dates stay text: schemas check dates, so that
    an impossible day is a problem like any other."""

    path: Path
    loader: yaml.CSafeLoader
    lines: dict[Path_, int] = field(default_factory=dict)

    def value_of(self, node: yaml.Node, at: Path_) -> Any:
        self.lines.setdefault(at, node.start_mark.line + 1)
        if not isinstance(node, yaml.ScalarNode) and node.tag not in COLLECTIONS:
            raise _invalid(self.path, node.start_mark.line + 1, f"{_shown(node.tag)} is not allowed here")
        if isinstance(node, yaml.MappingNode):
            return {self._key(key, at): self.value_of(value, (*at, key.value)) for key, value in node.value}
        if isinstance(node, yaml.SequenceNode):
            return [self.value_of(part, (*at, index)) for index, part in enumerate(node.value)]
        return str(node.value) if node.tag == TIMESTAMP else self._scalar(node)

    def _key(self, key: yaml.Node, at: Path_) -> str:
        """Refuse a duplicate key: one of the two values would silently win."""
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise _invalid(self.path, line, "a key must be a word")
        if (*at, key.value) in self.lines:
            raise _invalid(self.path, line, f"key {key.value!r} is given twice")
        self.lines[*at, key.value] = line
        return str(key.value)

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            value = self.loader.construct_object(node)
        except ValueError as error:
            raise _invalid(self.path, node.start_mark.line + 1, f"{_shown(node.value)}: {error}") from None
        return value if isinstance(value, str | int | float | bool | type(None)) else str(value)


def parse(document: YamlDocument, model: type[V]) -> tuple[V | None, list[Problem]]:
    """The document as a value, or everything that is wrong with it."""
    try:
        return model.model_validate(document.data), []
    except pydantic.ValidationError as error:
        return None, [document.problem(e["loc"], e["msg"]) for e in error.errors()]


def refuse(problems: list[Problem], summary: str) -> None:
    """Raise INVALID with all problems, if there are any."""
    if problems:
        raise OrchestratorError(
            Kind.INVALID,
            f"{summary}: {len(problems)} problem{'s' if len(problems) > 1 else ''}",
            details=tuple(str(p) for p in problems),
        )

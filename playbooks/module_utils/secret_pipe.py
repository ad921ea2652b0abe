"""Secrets for programs, where nobody but they can read them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def piped(text: str) -> Iterator[int]:
    """Hold a text in a pipe, for a program that is told of it as `/dev/fd/<number>`: nobody else can read it there, as
    they could arguments and the environment."""
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "w") as end:
            end.write(text)
        yield reading
    finally:
        os.close(reading)

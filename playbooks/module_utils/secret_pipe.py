"""Passing secrets to programs so that nobody else can read them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def piped(text: str) -> Iterator[int]:
    """Put a text into a pipe for a program that reads it as `/dev/fd/<number>`. Nobody else can read it there, unlike
    arguments and the environment."""
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "w") as end:
            end.write(text)
        yield reading
    finally:
        os.close(reading)

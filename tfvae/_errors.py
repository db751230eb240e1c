"""Errors as one sentence: what goes wrong while a file is read, and values quoted in messages."""

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

_MOST_CHARACTERS = 200
_MOST_WORDS_OF_A_KEY = 3  # more are a sentence, such as that of a ZIP archive without a member
# Where TensorFlow was in a graph; it says nothing to somebody who runs a command.
_PLACE_IN_GRAPH = re.compile(r"\{\{[^{}]*\}\}\s*")
_WITHOUT_WORDS = {
    MemoryError: "it takes more memory than there is",
    RecursionError: "it is nested too deeply",
    EOFError: "it ends too early",
}


@contextlib.contextmanager
def reading(path: str | os.PathLike[str], advice: str, *, kind: type[ValueError] = ValueError) -> Iterator[None]:
    """Around what reads a file: whatever it raises becomes one sentence with the file's name.

    Libraries raise errors of two dozen types for damaged files, according to where they are damaged.

    Args:
        path: the file.
        advice: a sentence that says what to do.
        kind: of the error.

    Raises:
        ValueError: of type `kind`, whatever was raised in the block.
    """
    try:
        yield
    except Exception as error:
        raise kind(f"{shortened(os.fspath(path))} cannot be read: {reason(error)}. {advice}") from error


def reason(error: BaseException) -> str:
    """The first line of an error's text, short, without its full stop; never empty."""
    text = str(error)
    if isinstance(error, KeyError) and len(error.args) == 1:
        text = str(error.args[0])
        if len(text.split()) <= _MOST_WORDS_OF_A_KEY:
            return shortened(f"it has no {quoted(error.args[0])}")
    if isinstance(error, RecursionError):
        return _WITHOUT_WORDS[RecursionError]
    text = without_graph(text).strip()
    if not text:
        return next((words for cls, words in _WITHOUT_WORDS.items() if isinstance(error, cls)), type(error).__name__)
    return shortened(text.splitlines()[0].strip()).rstrip(".")


def without_graph(text: str) -> str:
    """A message of TensorFlow without the name of the node that it is from."""
    return _PLACE_IN_GRAPH.sub("", text)


def quoted(value: Any) -> str:
    """A value for a message, as `repr` writes it, but never long."""
    try:
        return shortened(repr(value))
    except (ValueError, RecursionError):  # a number of thousands of digits, or very deep brackets
        return f"a value of type {type(value).__name__}, too large to print"


def shortened(text: str) -> str:
    """The text, or its first 200 characters, as one line that any terminal can show."""
    if len(text) > _MOST_CHARACTERS:
        text = f"{text[:_MOST_CHARACTERS]}... ({len(text):,} characters)"
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")

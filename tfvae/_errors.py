"""Helpers for error messages."""

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

_MAX_CHARACTERS = 200
_MAX_WORDS_OF_A_KEY = 3  # a longer "key" is a sentence, as in the KeyError of a ZIP archive without a member
# Name of a graph node in messages of TensorFlow, which is not helpful to users of commands.
_NODE_NAME = re.compile(r"\{\{[^{}]*\}\}\s*")
_DEFAULT_REASONS = {
    MemoryError: "it needs more memory than is available",
    RecursionError: "it is nested too deeply",
    EOFError: "it ends too early",
}


@contextlib.contextmanager
def reading(path: str | os.PathLike[str], advice: str, *, kind: type[ValueError] = ValueError) -> Iterator[None]:
    """Context manager that converts any error while reading a file to one sentence with the name of the file.

    Libraries raise many types of errors for damaged files, depending on the location of the damage.

    Args:
        path: Path of the file.
        advice: Sentence that says how to fix the problem.
        kind: Type of the error.

    Raises:
        ValueError: Of type `kind`, if the block raises any error.
    """
    try:
        yield
    except Exception as error:
        raise kind(f"{shortened(os.fspath(path))} cannot be read: {reason(error)}. {advice}") from error


def reason(error: BaseException) -> str:
    """Returns the first line of an error's text, shortened and without its full stop; never empty."""
    text = str(error)
    if isinstance(error, KeyError) and len(error.args) == 1:
        text = str(error.args[0])
        if len(text.split()) <= _MAX_WORDS_OF_A_KEY:
            return shortened(f"it has no {quoted(error.args[0])}")
    if isinstance(error, RecursionError):
        return _DEFAULT_REASONS[RecursionError]
    text = without_graph(text).strip()
    if not text:
        return next((words for cls, words in _DEFAULT_REASONS.items() if isinstance(error, cls)), type(error).__name__)
    return shortened(text.splitlines()[0].strip()).rstrip(".")


def without_graph(text: str) -> str:
    """Removes names of graph nodes from a message of TensorFlow."""
    return _NODE_NAME.sub("", text)


def quoted(value: Any) -> str:
    """Returns the `repr` of a value for a message, shortened if necessary."""
    try:
        return shortened(repr(value))
    except (ValueError, RecursionError):  # a number with thousands of digits, or deeply nested brackets
        return f"a value of type {type(value).__name__}, too large to print"


def shortened(text: str) -> str:
    """Returns the text, or its first 200 characters, as one printable line."""
    if len(text) > _MAX_CHARACTERS:
        text = f"{text[:_MAX_CHARACTERS]}... ({len(text):,} characters)"
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")

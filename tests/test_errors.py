"""Errors as one sentence: files that cannot be read, and values quoted in messages."""

import errno
import zlib

import pytest

from tfvae._checks import number, whole_number
from tfvae._errors import quoted, reading, reason, shortened, without_graph
from tfvae.data import DataError

NESTED = []
for _ in range(5000):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("It is damaged.\nA dump of it."), "It is damaged"),
        (ValueError(), "ValueError"),
        (ValueError(" \n "), "ValueError"),
        (MemoryError(), "it needs more memory than is available"),
        (RecursionError("maximum recursion depth exceeded"), "it is nested too deeply"),
        (EOFError(), "it ends too early"),
        (KeyError("elbo"), "it has no 'elbo'"),
        (KeyError("There is no item named 'a' in the archive"), "There is no item named 'a' in the archive"),
        (zlib.error("Error -3"), "Error -3"),
        (OSError(errno.ENOSPC, "No space left on device"), "[Errno 28] No space left on device"),
        (ValueError("x" * 1000), "x" * 200 + "... (1,000 characters)"),
        (ValueError("{{function_node __wrapped__Save_device_/a}} x; No space [Op:Save]"), "x; No space [Op:Save]"),
    ],
)  # fmt: skip
def test_reasons_are_short_and_never_empty(error, words):
    assert reason(error) == words


def test_whatever_reading_raises_names_the_file_and_says_how_to_go_on():
    for error in (KeyError("a"), zlib.error("bad"), RuntimeError("encrypted"), MemoryError(), AttributeError("a")):
        with pytest.raises(DataError, match=r"^a/x\.npz cannot be read: .+\. Copy it again\.$") as caught:
            with reading("a/x.npz", "Copy it again.", kind=DataError):
                raise error
        assert caught.value.__cause__ is error
    with pytest.raises(KeyboardInterrupt), reading("x", ""):
        raise KeyboardInterrupt


def test_values_are_quoted_in_short():
    assert quoted("a'b") == '"a\'b"'
    assert quoted([1, 2]) == "[1, 2]"
    assert quoted("x" * 300).endswith("... (302 characters)")
    assert quoted(10**5000) == "a value of type int, too large to print"
    assert quoted(NESTED) == "a value of type list, too large to print"
    assert shortened("a\nb\x1b[2J\udcffé") == r"a\nb\x1b[2J\udcffé"
    assert without_graph("{{node a}} x {{function_node b}} y {1}") == "x y {1}"


def test_numbers_that_no_computer_counts_to():
    with pytest.raises(ValueError, match=r"`num_samples` .* at most 9223372036854775807\. Received: num_samples=1000"):
        whole_number(10**400, "num_samples")
    for value in (10**400, -(10**400), float("inf"), float("nan")):
        with pytest.raises(ValueError, match=r"must be a finite number, at least 0\. Received: beta=") as refused:
            number(value, "beta", at_least=0)
        assert len(str(refused.value)) < 300

"""Which kind a column has, decided from its values, and why."""

import re
from typing import NamedTuple

import numpy as np

from tfvae._errors import shortened
from tfvae.tables import dates
from tfvae.tables.cells import Cells, is_number
from tfvae.tables.column import Kind

FEW = 20
"""The most different numbers that are categories."""
MAX_CATEGORIES = 1000
"""The most categories of a column of text."""
MAX_STEPS = 200
"""The longest range of whole numbers, each of which is a category."""

_PAIRS = ({"no", "yes"}, {"n", "y"}, {"false", "true"}, {"f", "t"}, {"off", "on"})
_ID_WORDS = ("id", "ids", "uid", "uuid", "guid", "key", "index", "identifier", "number", "nr", "no", "#")
_NO_NUMBER = re.compile(r"[\s$€£¥%]|,(?=\d{3})")  # what people write in numbers
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,(?:\d{1,2}|\d{4,})")  # three digits may be thousands
_MOSTLY = 0.9  # share of numbers in a column of text that is likely one of numbers
_REPEATS = 3  # how often each value occurs on average, so that values are categories
_MIN_ROWS_OF_RUN = 10  # from here, whole numbers without a gap or a repetition number the rows
_POINT = 0.5  # share of one value that makes a density a poor description
_SMALLEST_CODE = 100  # numbers below are too short for codes
_LARGEST_COUNT = 1000  # above, whole numbers without zeros are as good as continuous
_WIDER_THAN_POISSON = 2.0
_TOLERANCE = 0.1  # nats a value by which logarithms may fit worse
_STEPS_OF_FLOAT32 = 1000  # that the spread of logarithms must have


class Decision(NamedTuple):
    """The kind of a column and the reason."""

    kind: Kind
    reason: str


def decide(name: str, cells: Cells) -> Decision:
    """Returns the kind that fits the cells of a column best."""
    if cells.problem:
        return Decision("ignored", cells.problem)
    if not cells.observed.any():
        return Decision("constant", "all values are missing")
    if cells.categories is not None:
        return _declared(cells)
    if len(cells.values) == 1:
        where = "" if cells.observed.all() else ", where it is not missing"
        value = cells.texts[0] if cells.dates is None else str(cells.dates[0])
        return Decision("constant", f"always {shortened(value)!r}{where}")
    if cells.dates is not None:
        return Decision("date", f"{len(cells.values):,} different dates")
    if cells.dtype in ("bool", "boolean"):
        return Decision("boolean", "true or false")
    if cells.numbers is not None and not cells.are_codes:
        return _of_numbers(name, cells.numbers[cells.codes[cells.observed]])
    return _of_texts(name, cells)


def _declared(cells: Cells) -> Decision:
    """Decides on a column whose pandas type has categories."""
    num_categories = len(cells.categories or ())
    if num_categories < 2:
        return Decision("constant", "a single category")
    if num_categories > MAX_CATEGORIES:
        return Decision("ignored", f"{num_categories:,} categories, more than {MAX_CATEGORIES:,}")
    kind: Kind = "ordinal" if cells.is_ordered else "category"
    return Decision(kind, f"{num_categories} categories of the data frame{', in order' if cells.is_ordered else ''}")


def _of_texts(name: str, cells: Cells) -> Decision:
    """Decides on a column of text."""
    texts, num_rows = cells.texts, int(cells.observed.sum())
    if len(texts) == 2 and {text.lower() for text in texts} in _PAIRS:
        return Decision("boolean", " or ".join(sorted(texts)))
    form = dates.format_of(texts)
    if form is not None:
        return Decision("date", "dates" if form == dates.ISO else f"dates, written {form}")
    what = "codes with leading zeros" if cells.are_codes else "text"
    if _is_id(name) and len(texts) > 0.9 * num_rows:
        return Decision("ignored", f"{what}, nearly all different: an identifier by its name")
    advice = _advice(cells)
    if len(texts) == num_rows:
        return Decision("ignored", f"{what}, all different{advice or ': an identifier'}")
    repeats = num_rows / len(texts)
    if (repeats >= _REPEATS and len(texts) <= MAX_CATEGORIES) or (repeats >= 2 and len(texts) <= FEW):
        return Decision("category", f"{what}, {len(texts)} values{advice}")
    return Decision("ignored", f"{what}, {len(texts):,} different values in {num_rows:,} rows{advice}")


def _advice(cells: Cells) -> str:
    """Returns how text can be used as numbers, if that is what most of it is; empty if not."""
    odd = [text for text in cells.texts if not is_number(text)]
    if odd and all(map(_DECIMAL_COMMA.fullmatch, odd)):
        return f"; to use them as numbers, write {shortened(odd[0])!r} with a point"
    if not odd or 0 < len(cells.texts) - len(odd) <= FEW:
        return ""
    if all(is_number(_NO_NUMBER.sub("", text)) for text in odd):
        return f"; to use them as numbers, write {shortened(odd[0])!r} without other characters"
    are_numbers = np.asarray([is_number(text) for text in cells.texts])[cells.codes[cells.observed]]
    if are_numbers.mean() < _MOSTLY:
        return ""
    return f"; to use them as numbers, add {', '.join(repr(shortened(text)) for text in odd[:3])} to the missing values"


def _of_numbers(name: str, numbers: np.ndarray) -> Decision:
    """Decides on a column of numbers, of which at least two differ."""
    values, counts = np.unique(numbers, return_counts=True)
    low, high = values[0], values[-1]
    if not np.array_equal(values, np.rint(values)):
        return _of_decimals(numbers, values, counts)
    if values.tolist() == [0.0, 1.0]:
        return Decision("boolean", "0 or 1")
    if _numbers_rows(numbers, values):
        return Decision("ignored", "whole numbers without a gap, all different: an identifier")
    if _is_id(name) and len(values) > 0.9 * len(numbers):
        return Decision("ignored", "whole numbers, nearly all different: an identifier by its name")
    steps = int(high - low) + 1 if high - low < MAX_STEPS else None
    is_dense = steps is not None and steps <= 2 * len(values)
    repeats = len(numbers) >= _REPEATS * len(values)
    if repeats and len(values) <= FEW:
        few = f"{len(values)} different whole numbers"
        if len(values) == 2:
            return Decision("category", few)
        if not is_dense and low >= _SMALLEST_CODE and len(str(int(low))) == len(str(int(high))):
            return Decision("category", f"{few} of the same length: codes")
        return Decision("ordinal", few)
    if low >= 0 and (low == 0 or high <= _LARGEST_COUNT) and numbers.var() >= _WIDER_THAN_POISSON * numbers.mean():
        zeros = f"0, {_share(counts[0], numbers)} zeros" if low == 0 else f"{low:.0f}"
        return Decision("count", f"whole numbers from {zeros}")
    if low > 0 and _logarithms_fit(numbers):
        large = "large whole numbers" if high > _LARGEST_COUNT else "whole numbers with a narrow range"
        return Decision("positive", f"{large}, all above zero")
    return Decision("real", f"whole numbers{_why_real(low)}")


def _of_decimals(numbers: np.ndarray, values: np.ndarray, counts: np.ndarray) -> Decision:
    """Decides on a column of numbers that are not all whole."""
    if len(values) <= FEW // 2 and len(numbers) >= 10 * len(values):
        return Decision("ordinal", f"{len(values)} different numbers")
    most = int(counts.argmax())
    is_point = counts[most] > 1 and counts[most] >= _POINT * len(numbers)
    point = f", {_share(counts[most], numbers)} are {values[most]:g}" if is_point else ""
    if 0 < values[0] < 0.05 and 0.95 < values[-1] < 1:
        return Decision("bounded", f"between 0 and 1{point}")
    if values[0] > 0 and _logarithms_fit(numbers):
        return Decision("positive", f"numbers above zero{point}")
    if values[0] == 0 and not point:
        return Decision("real", f"numbers from 0, {_share(counts[0], numbers)} zeros")
    return Decision("real", f"numbers{_why_real(values[0])}{point}")


def _why_real(low: float) -> str:
    return ", also below zero" if low < 0 else ", whose logarithms are less normal" if low > 0 else " from 0"


def _numbers_rows(numbers: np.ndarray, values: np.ndarray) -> bool:
    """Whether whole numbers are all different and without a gap."""
    return len(numbers) >= _MIN_ROWS_OF_RUN and len(values) == len(numbers) == values[-1] - values[0] + 1


def _logarithms_fit(numbers: np.ndarray) -> bool:
    """Whether a log-normal distribution describes positive numbers as well as a normal one."""
    logarithms = np.log(numbers)
    if not _are_resolved(logarithms):
        return False
    return bool(logarithms.mean() + np.log(logarithms.std()) <= np.log(numbers.std()) + _TOLERANCE)


def _are_resolved(logarithms: np.ndarray) -> bool:
    """Whether float32 tells logarithms apart: not those of seconds since 1970 on one day, whose own steps are finer."""
    return bool(logarithms.std() > _STEPS_OF_FLOAT32 * np.spacing(np.float32(np.abs(logarithms).max())))


def _share(count: int, numbers: np.ndarray) -> str:
    share = count / len(numbers)
    return f"{share:.0%}" if share >= 0.01 else "under 1%"


def _is_id(name: str) -> bool:
    """Whether the last word of a name is one for identifiers, as in "user_id" or "orderNumber"."""
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()
    return bool(words) and re.split(r"[\s_.\-/]+", words.strip(" _.-"))[-1] in _ID_WORDS

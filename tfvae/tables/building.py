"""Columns of a given kind from the cells of a table."""

from collections.abc import Sequence

import numpy as np

from tfvae._errors import quoted
from tfvae.tables import dates
from tfvae.tables.atoms import atoms_of
from tfvae.tables.cells import Cells, from_float32, is_number, number_texts
from tfvae.tables.column import Column, Kind
from tfvae.tables.decisions import MAX_CATEGORIES, MAX_STEPS
from tfvae.tables.errors import TableError

_MAX_DECIMALS = 9
_LARGEST = float(np.finfo(np.float32).max)
_NUMBERS = ("real", "positive", "count", "bounded")


def build(name: str, cells: Cells, kind: Kind, reason: str, order: Sequence[str] | None = None) -> Column:
    """Returns the column of this kind.

    Args:
        name: The name of the column.
        cells: Its cells.
        kind: The kind.
        reason: Why it has this kind.
        order: The categories in order, or None for alphabetical or numerical order.

    Raises:
        TableError: If the values do not fit the kind.
    """
    missing = float(1 - cells.observed.mean()) if len(cells.codes) and not cells.problem else 0.0
    if kind == "ignored":
        return Column(name, kind, dtype=cells.dtype, missing_share=missing, reason=reason)
    if kind == "constant":
        return _constant(name, cells, missing, reason)
    if cells.problem or not cells.observed.any():
        raise _misfit(name, kind, cells.problem or "no values")
    if kind == "date":
        return _date(name, cells, missing, reason)
    if kind in _NUMBERS:
        return _number(name, cells, kind, missing, reason)
    return _category(name, cells, kind, missing, reason, order)


def _constant(name: str, cells: Cells, missing: float, reason: str) -> Column:
    if cells.problem or len(cells.values) > 1:
        raise _misfit(name, "constant", cells.problem or f"{len(cells.values):,} different values")
    if not len(cells.values):
        return Column(name, "constant", dtype=cells.dtype, missing_share=missing, reason=reason)
    value, dtype = cells.texts[0] if cells.dates is None else str(cells.dates[0]), cells.dtype
    if cells.dtype in ("str", "object") and cells.numbers is not None and not cells.are_codes:
        value, dtype = number_texts(cells.numbers)[0], _number_dtype(cells)
    return Column(name, "constant", categories=(value,), dtype=dtype, missing_share=missing, reason=reason)


def _date(name: str, cells: Cells, missing: float, reason: str) -> Column:
    if cells.dates is None and not cells.is_text:
        raise _misfit(name, "date", "numbers")
    form = None if cells.dates is not None else dates.format_of(cells.texts)
    if cells.dates is None and form is None:
        raise _misfit(name, "date", f"values such as {quoted(cells.texts[0])}")
    values = cells.dates if form is None else dates.parsed(cells.texts, form)
    if values is None:
        raise _misfit(name, "date", f"values such as {quoted(cells.texts[0])}")
    origin = str(values.min().astype("datetime64[D]"))
    days = dates.days_after(values, origin)
    whole = bool((days == np.rint(days)).all())
    seconds = float(np.spacing(np.float32(days.max()))) * 86_400
    if not whole and seconds > 1:
        reason += f"; times are kept to about {seconds:.0f} seconds"
    return Column(
        name,
        "date",
        low=float(days.min()),
        high=float(days.max()),
        decimals=0 if whole else None,
        dtype="str" if form is not None else cells.dtype,
        origin=origin,
        format=form,
        missing_share=missing,
        reason=reason,
    )


def _number(name: str, cells: Cells, kind: Kind, missing: float, reason: str) -> Column:
    numbers = _numbers(name, cells, kind)
    low, high = float(numbers.min()), float(numbers.max())
    if (kind == "positive" and low <= 0) or (kind == "count" and (low < 0 or (numbers != np.rint(numbers)).any())):
        raise _misfit(name, kind, f"values from {low:g} to {high:g}" + ("" if low < 0 else ", not all whole"))
    if kind == "bounded" and low == high:
        raise _misfit(name, kind, f"the single value {low:g}")
    decimals = _decimals(numbers)
    counts = np.bincount(cells.codes[cells.observed], minlength=len(numbers))
    atoms = atoms_of(numbers, counts, decimals)
    if atoms:
        often = number_texts(sorted(atoms, key=lambda atom: -counts[numbers == atom].sum()))
        reason += f"; often {', '.join(often[:3])}" + (f" and {len(often) - 3} others" if len(often) > 3 else "")
    if not _is_exact(numbers, decimals):
        reason += "; kept to about 7 digits"
    if kind == "bounded" and low > 0 and 0.95 < high < 1:
        low, high = 0.0, 1.0
    return Column(
        name,
        kind,
        low=low,
        high=high,
        atoms=atoms,
        decimals=decimals,
        dtype=_number_dtype(cells),
        missing_share=missing,
        reason=reason,
    )


def _numbers(name: str, cells: Cells, kind: Kind) -> np.ndarray:
    """Returns the different values as numbers that float32 has."""
    if cells.numbers is None:
        odd = next(text for text in cells.texts if not is_number(text))
        raise _misfit(name, kind, f"values such as {quoted(odd)}")
    require_finite(name, cells)
    return cells.numbers


def require_finite(name: str, cells: Cells) -> None:
    """Checks that numbers are finite in float32.

    Raises:
        TableError: If one is not.
    """
    if cells.numbers is None or (np.abs(cells.numbers) <= _LARGEST).all():
        return
    odd = cells.numbers[~(np.abs(cells.numbers) <= _LARGEST)][0]
    raise TableError(
        f"The column {name!r} has values that are infinite or too large. Replace them, or make them missing values: "
        f'missing=["{odd:g}"]. Received: {odd:g}'
    )


def _category(name: str, cells: Cells, kind: Kind, missing: float, reason: str, order: Sequence[str] | None) -> Column:
    are_numbers = cells.numbers is not None and not cells.are_codes and cells.dtype not in ("bool", "boolean")
    categories = _categories(name, cells, kind, are_numbers=are_numbers)
    if order is not None:
        if set(order) != set(categories):
            raise TableError(
                f"The categories of the column {name!r} must be its values, in order. Expected: {quoted(categories)}. "
                f"Received: {quoted(list(order))}"
            )
        categories = list(order)
    if len(categories) > MAX_CATEGORIES or (kind == "boolean" and len(categories) != 2):
        raise _misfit(name, kind, f"{len(categories):,} different values")
    if are_numbers and cells.categories is None:
        dtype = _number_dtype(cells)
    else:
        is_bool = cells.dtype in ("str", "object") and set(categories) == {"False", "True"}
        dtype = "bool" if is_bool else cells.dtype
    return Column(name, kind, categories=tuple(categories), dtype=dtype, missing_share=missing, reason=reason)


def _categories(name: str, cells: Cells, kind: Kind, *, are_numbers: bool) -> list[str]:
    """Returns the values in order; of whole numbers near each other, also those between that do not occur."""
    if cells.categories is not None:
        return list(cells.categories)
    if not are_numbers:
        return sorted(cells.texts)
    numbers = np.unique(_numbers(name, cells, kind))
    steps = numbers[-1] - numbers[0] + 1
    is_whole = np.array_equal(numbers, np.rint(numbers))
    if kind == "ordinal" and is_whole and steps <= min(MAX_STEPS, 2 * len(numbers)):
        numbers = np.arange(numbers[0], numbers[-1] + 1)
    return number_texts(numbers)


def _number_dtype(cells: Cells) -> str:
    """Returns the type that pandas gives to these numbers, with whole numbers also beside missing values."""
    if not cells.is_text:
        return cells.dtype
    is_whole = all(text.lstrip("+-").isdigit() for text in cells.texts)
    if is_whole:
        return "int64" if cells.observed.all() else "Int64"
    return "float64"


def _decimals(numbers: np.ndarray) -> int | None:
    """Returns the fewest decimals with which all numbers can be written; None if there are too many."""
    return next((n for n in range(_MAX_DECIMALS + 1) if np.array_equal(np.round(numbers, n), numbers)), None)


def _is_exact(numbers: np.ndarray, decimals: int | None) -> bool:
    """Whether numbers come back from float32."""
    return np.array_equal(from_float32(numbers.astype(np.float32), decimals), numbers)


def _misfit(name: str, kind: Kind, received: str) -> TableError:
    """Returns the error for values that do not fit a kind."""
    expected = {
        "real": "numbers",
        "positive": "numbers above zero",
        "count": "whole numbers that are not below zero",
        "bounded": "two different numbers",
        "category": f"at most {MAX_CATEGORIES:,} different values",
        "ordinal": f"at most {MAX_CATEGORIES:,} different values",
        "boolean": "two different values",
        "date": "dates, such as 2024-12-31",
        "constant": "a single value",
        "ignored": "any values",
    }[kind]
    return TableError(
        f"The column {name!r} cannot be {kind!r}. Expected {expected}. Take another kind, or 'ignored'. Received: "
        f"{received}"
    )

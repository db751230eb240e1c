"""Numbers that are repeated so often that they have a probability of their own."""

import numpy as np

MAX_ATOMS = 50
_LEAST_COUNT = 20
# The least share of rows, of whole numbers and of others. Measured values are rounded, and then many are repeated.
_LEAST_SHARE, _LEAST_SHARE_OF_DECIMALS = 1e-3, 0.05
# How many times as often an atom occurs as a number between its neighbours would, if they were spread evenly.
_EXCESS = 5.0
# How many times as often it occurs as they do.
_MORE_OFTEN = 3.0
# How many values on each side are the neighbours.
_NUM_NEIGHBOURS = 3


def atoms_of(values: np.ndarray, counts: np.ndarray, decimals: int | None) -> tuple[float, ...]:
    """Returns the atoms among the values of a column of numbers, such as an amount of 0 or the hours of a full job.

    A value is an atom if it occurs at least 20 times, in one of 1,000 rows (5% of the rows if not all numbers are
    whole), 3 times as often as most of the three different values on each side, and 5 times as often as one expects
    from these. They are expected at all numbers with as many decimals between them, so that no age is an atom.

    Args:
        values: The different values, `[K]`.
        counts: How often each occurs, `[K]`.
        decimals: The number of decimals with which they are written. None if it is large.

    Returns:
        The atoms in order, at most 50 and the most frequent ones.
    """
    order = np.argsort(values)
    values, counts = values[order], counts[order]
    share = _LEAST_SHARE if decimals == 0 else _LEAST_SHARE_OF_DECIMALS
    least = max(_LEAST_COUNT, share * counts.sum())
    found: list[int] = []
    for place in np.flatnonzero(counts >= least).tolist():
        start, end = max(place - _NUM_NEIGHBOURS, 0), min(place + _NUM_NEIGHBOURS, len(values) - 1)
        neighbours = np.delete(counts[start : end + 1], place - start)
        steps = np.inf if decimals is None else np.rint((values[end] - values[start]) * 10.0**decimals)
        expected = max(_EXCESS * neighbours.sum() / max(steps, 1.0), _MORE_OFTEN * np.median(neighbours))
        if counts[place] >= expected:
            found.append(place)
    most = sorted(found, key=lambda place: -counts[place])[:MAX_ATOMS]
    return tuple(float(value) for value in np.sort(values[most]))

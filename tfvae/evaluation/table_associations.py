"""Associations between the columns of a table, of any kinds."""

import numpy as np
import scipy.stats

from tfvae.tables import Column


def associations(rows: np.ndarray, columns: tuple[Column, ...]) -> np.ndarray:
    """Computes how strongly each two columns depend on each other, `[D, D]`, from the rows that have both.

    * Two columns whose values are in order (numbers, dates, ordinal and boolean columns): Spearman's rank correlation,
      from -1 to 1.
    * A column in order and a category: the correlation ratio of the ranks, from 0 to 1: the square root of the share
      of their variance that lies between categories.
    * Two categories: Cramér's V, from 0 to 1.

    The last two are corrected for their bias in small tables. A value is NaN if a column is constant or fewer than
    three rows have both.

    Args:
        rows: Rows `[N, D]`, NaN at missing values.
        columns: The columns.

    References:
        Kelley, An unbiased correlation ratio measure, 1935.
        Bergsma, A bias-correction for Cramér's V and Tschuprow's T, 2013.
    """
    is_category = [column.kind == "category" for column in columns]
    found = np.full((len(columns), len(columns)), np.nan)
    for i in range(len(columns)):
        for j in range(i + 1):
            both = ~np.isnan(rows[:, i]) & ~np.isnan(rows[:, j])
            a, b = rows[both, i], rows[both, j]
            if len(a) < 3 or a.min() == a.max() or b.min() == b.max():
                continue
            if is_category[i] and is_category[j]:
                value = cramers_v(a.astype(np.int64), b.astype(np.int64))
            elif is_category[i] or is_category[j]:
                codes, numbers = (a, b) if is_category[i] else (b, a)
                value = correlation_ratio(codes.astype(np.int64), scipy.stats.rankdata(numbers))
            else:
                value = float(np.corrcoef(scipy.stats.rankdata(a), scipy.stats.rankdata(b))[0, 1])
            found[i, j] = found[j, i] = value
    return found


def correlation_ratio(codes: np.ndarray, numbers: np.ndarray) -> float:
    """Returns the correlation ratio eta of numbers `[N]` and categories, with the correction of Kelley.

    eta^2 = 1 - (S_within / (N - K)) / (S_total / (N - 1)), at least 0, for sums of squares S and K categories that
    occur.
    """
    _, codes, counts = np.unique(codes, return_inverse=True, return_counts=True)
    if len(counts) >= len(codes):
        return np.nan
    means = np.bincount(codes, numbers) / counts
    within = np.square(numbers - means[codes]).sum() / (len(codes) - len(counts))
    total = np.square(numbers - numbers.mean()).sum() / (len(codes) - 1)
    return float(np.sqrt(max(0.0, 1.0 - within / total)))


def cramers_v(a: np.ndarray, b: np.ndarray) -> float:
    """Returns Cramér's V of two columns of categories `[N]`, with the correction of Bergsma.

    With phi^2 = chi^2 / N for a table of r x c counts, it is sqrt(phi'^2 / (min(r', c') - 1)), where
    phi'^2 = max(0, phi^2 - (r - 1) (c - 1) / (N - 1)) and r' = r - (r - 1)^2 / (N - 1), and c' likewise.
    """
    _, a = np.unique(a, return_inverse=True)
    _, b = np.unique(b, return_inverse=True)
    num, r, c = len(a), int(a.max()) + 1, int(b.max()) + 1
    counts = np.bincount(a * c + b, minlength=r * c).reshape(r, c)
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0, keepdims=True) / num
    phi = (np.square(counts - expected) / expected).sum() / num
    phi = max(0.0, phi - (r - 1) * (c - 1) / (num - 1))
    smaller = min(r - (r - 1) ** 2 / (num - 1), c - (c - 1) ** 2 / (num - 1))
    return float(min(1.0, np.sqrt(phi / (smaller - 1.0)))) if smaller > 1.0 else np.nan

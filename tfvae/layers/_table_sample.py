"""What is kept of the rows of a table while they are read once."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tfvae.layers._adapted import chunks
from tfvae.layers._table_columns import TableColumns

NUM_QUANTILES = 100
# The most numbers, and the most rows, of which quantiles are computed.
_MOST_NUMBERS = 20_000_000
_MOST_ROWS = 20_000


class TableSample:
    """Counts, limits, and a random sample of the rows of a table.

    Attributes:
        low: The smallest value of each column, `[D]`.
        high: The largest, `[D]`.
        counts: How often each category was seen, for each column; empty for numbers.
        atom_counts: How often other numbers than atoms were seen, and how often each atom, for each column.
    """

    def __init__(self, columns: TableColumns):
        self._columns = columns
        self.low = np.full(len(columns), np.inf)
        self.high = np.full(len(columns), -np.inf)
        self.counts = [np.zeros(number) for number in columns.num_categories]
        self.atom_counts = [np.zeros(number + 1) for number in columns.num_atoms]
        self._most = int(np.clip(_MOST_NUMBERS // len(columns), 1000, _MOST_ROWS))
        self._rows = np.empty((0, len(columns)))
        self._keys = np.empty(0)
        self._random = np.random.default_rng(0)

    def transformed_chunks(self, data: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Reads data, and yields rows on the scale on which they are standardised, and where they are observed.

        Raises:
            ValueError: If values are not valid.
        """
        columns = self._columns
        for given, observed in chunks(data):
            columns.check(given, observed)
            x = np.where(observed, given, columns.any_valid())
            self.low = np.minimum(self.low, x.min(axis=0, where=observed, initial=np.inf))
            self.high = np.maximum(self.high, x.max(axis=0, where=observed, initial=-np.inf))
            transformed = columns.transformed(x)
            self._count(x, observed)
            self._keep(np.where(observed & ~self._is_atom(x), transformed, np.nan))
            yield transformed, observed

    def _is_atom(self, x: np.ndarray) -> np.ndarray:
        is_atom = np.zeros(x.shape, bool)
        for place in np.flatnonzero(self._columns.num_atoms):
            is_atom[:, place] = np.isin(x[:, place].astype(np.float32), self._columns.atoms[place])
        return is_atom

    def _count(self, x: np.ndarray, observed: np.ndarray) -> None:
        for place in np.flatnonzero(self._columns.num_categories):
            codes = x[observed[:, place], place].astype(np.int64)
            self.counts[place] += np.bincount(codes, minlength=len(self.counts[place]))
        for place in np.flatnonzero(self._columns.num_atoms):
            atoms, values = self._columns.atoms[place], x[observed[:, place], place].astype(np.float32)
            codes = np.minimum(np.searchsorted(atoms, values), len(atoms) - 1)
            codes = np.where(atoms[codes] == values, codes + 1, 0)
            self.atom_counts[place] += np.bincount(codes, minlength=len(atoms) + 1)

    def _keep(self, rows: np.ndarray) -> None:
        """Keeps the rows with the smallest of random keys, which are a random sample."""
        rows = np.concatenate([self._rows, rows])
        keys = np.concatenate([self._keys, self._random.random(len(rows) - len(self._keys))])
        kept = np.argpartition(keys, self._most)[: self._most] if len(keys) > self._most else slice(None)
        self._rows, self._keys = rows[kept], keys[kept]

    def quantiles(self, loc: np.ndarray, scale: np.ndarray, default: np.ndarray) -> np.ndarray:
        """Returns quantiles `[D, Q]` of standardised values that are no atoms; the default for columns without any."""
        found, levels = default.copy(), (np.arange(NUM_QUANTILES) + 0.5) / NUM_QUANTILES
        for place in np.flatnonzero(self._columns.num_categories == 0):
            values = self._rows[:, place]
            values = values[~np.isnan(values)]
            if len(values):
                found[place] = (np.quantile(values, levels) - loc[place]) / scale[place]
        return found

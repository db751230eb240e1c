"""What the splits of a data set have in common, in memory or in shards."""

import abc
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from tfvae.data.contents import is_image
from tfvae.data.errors import DataError
from tfvae.data.fixed_draw import FixedDraw
from tfvae.data.noise import checked_seed
from tfvae.tables.schema import Schema

if TYPE_CHECKING:
    import tensorflow as tf


class SplitLike(abc.ABC):
    """Examples of one split, wherever they are stored.

    A subclass says what is known of its examples, reads the first of them, makes batches and applies a fixed draw.
    """

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """The name that messages use, such as "mnist/train"."""

    @property
    @abc.abstractmethod
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one example."""

    @property
    @abc.abstractmethod
    def num_levels(self) -> int | None:
        """2 for binary data, 256 for 8-bit images, anything between for other scans; None for floats."""

    @property
    @abc.abstractmethod
    def value_range(self) -> tuple[float, float]:
        """The smallest and the largest x; 0 and 1 for levels, whatever values occur."""

    @property
    @abc.abstractmethod
    def channel_added(self) -> bool:
        """Whether the last axis, of length 1, was added to floats (N, H, W) when they were loaded."""

    @property
    @abc.abstractmethod
    def labels(self) -> np.ndarray | None:
        """The labels of all examples, int64 [N], or None."""

    @property
    @abc.abstractmethod
    def has_labels(self) -> bool:
        """Whether there is a label for each example."""

    @property
    @abc.abstractmethod
    def class_names(self) -> tuple[str, ...] | None:
        """The name of each class of the labels, in the order of their numbers, or None."""

    @property
    def condition_names(self) -> tuple[str, ...] | None:
        """The name of each class, if conditions are one-hot vectors of classes, or None."""
        return None

    @property
    def condition_shape(self) -> tuple[int, ...] | None:
        """The shape of one condition, or None."""
        return None

    @property
    def schema(self) -> Schema | None:
        """What the columns are, for the rows of a table, or None."""
        return None

    @property
    def has_missing(self) -> bool:
        """Whether values may be missing."""
        return False

    @property
    def is_binary(self) -> bool:
        """Whether every value is 0 or 1 by declaration (two levels)."""
        return self.num_levels == 2

    @property
    def in_unit_interval(self) -> bool:
        """Whether x lies in [0, 1], as a Bernoulli likelihood needs."""
        return self.value_range[0] >= 0 and self.value_range[1] <= 1

    @property
    def is_image(self) -> bool:
        """Whether each example is certainly an image; floats (N, H, W) may also be series, and do not count."""
        return is_image(self.event_shape, self.num_levels, self.value_range, self.channel_added)

    @abc.abstractmethod
    def take(self, n: int) -> "SplitLike":
        """Returns the first n examples in memory, or all of them where there are fewer."""

    @abc.abstractmethod
    def batches(
        self,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        binarize: Literal["dynamic", "static"] | None = None,
        dequantize: bool = False,
        labels: bool = False,
        num_labelled: int | None = None,
        drop_remainder: bool = False,
    ) -> "tf.data.Dataset":
        """Makes a dataset of batches of x."""

    @abc.abstractmethod
    def _with_fixed(self, draw: FixedDraw) -> Self:
        """Returns the split with a fixed draw applied."""

    def binarized(self, seed: int) -> Self:
        """Draws zeros and ones from Bernoulli(x) once, the same for the same seed, so that evaluations can be repeated.

        Binary data are returned unchanged. A split in shards has another draw than the same data in memory.

        Raises:
            DataError: If values lie outside [0, 1].

        References:
            Salakhutdinov & Murray, On the Quantitative Analysis of Deep Belief Networks, 2008.
        """
        if self.is_binary:
            return self
        require_unit_interval(self)
        return self._with_fixed(FixedDraw("bernoulli", checked_seed(seed)))

    def thresholded(self, threshold: float = 0.5) -> Self:
        """Returns a binary split, 1 where x is above `threshold`. Binary data are returned unchanged.

        Raises:
            DataError: If values lie outside [0, 1].
        """
        if self.is_binary:
            return self
        require_unit_interval(self)
        return self._with_fixed(FixedDraw("threshold", threshold))

    def dequantized(self, seed: int) -> Self:
        """Returns a split of floats (raw + u) / num_levels, with one fixed draw of u, uniform on [0, 1).

        A density of these values bounds the probability of the levels from below: for one level and D dimensions,
        log P(raw) >= log p(y) - D log(num_levels) on average.

        Numerics:
            Values stay strictly inside (0, 1), and floor(y * num_levels) gives back the level in float32.

        Raises:
            DataError: If the data have no levels.

        References:
            Uria, Murray & Larochelle, RNADE, 2013, arXiv 1306.0186; Theis, van den Oord & Bethge, A note on the
            evaluation of generative models, 2016, arXiv 1511.01844, section 3.1.
        """
        require_levels(self)
        return self._with_fixed(FixedDraw("dequantize", checked_seed(seed)))


def require_unit_interval(split: SplitLike) -> None:
    """Raises DataError for values that cannot be binarized."""
    if not split.in_unit_interval:
        low, high = split.value_range
        raise DataError(
            f"{split.name} cannot be binarized: a Bernoulli probability lies in [0, 1]. Rescale the data, or leave "
            f"binarize=None. Received: values from {low} to {high}"
        )


def require_levels(split: SplitLike) -> int:
    """Returns the number of levels; raises DataError for floats, which cannot be dequantized."""
    if split.num_levels is None:
        raise DataError(
            f"{split.name} cannot be dequantized: it has floats, not levels. Store the data as uint8, or leave "
            "dequantize=False."
        )
    return split.num_levels

"""One split of a data set: the array as stored, how to scale it, and batches of it."""

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from tfvae.data import noise
from tfvae.data.contents import plain_values
from tfvae.data.errors import DataError
from tfvae.data.fixed_draw import FixedDraw
from tfvae.data.parts_of_split import checked_condition, checked_ids, checked_names, checked_observed, checked_weight
from tfvae.data.requirements import checked_batch_size, choose_draw
from tfvae.data.split_like import SplitLike, require_levels
from tfvae.tables.schema import Schema

if TYPE_CHECKING:
    import tensorflow as tf

    from tfvae.data.finishing import Stored


@dataclass(frozen=True, eq=False, repr=False)
class Split(SplitLike):
    """Examples of one split in memory, stored as they were loaded and scaled when they are read.

    Args:
        raw: Examples along the first axis: uint8 levels 0..num_levels-1, or finite float32 values. The array is not
            copied and must not be changed afterwards.
        labels: One integer for each example, -1 if unknown, or None.
        num_levels: 2 for binary data, 256 for 8-bit images, anything between for other scans; None for floats.
        name: The name that messages use, such as "mnist/train".
        channel_added: Whether the last axis, of length 1, was added to floats (N, H, W) when they were loaded.
        condition: What a conditional model is given with each example: numbers (N, *shape), or None.
        observed: A boolean array of the shape of `raw`, False at missing values, or None. What `raw` has there is
            ignored.
        class_names: The name of each class of the labels, in the order of their numbers, or None.
        condition_names: The name of each class, if conditions are one-hot vectors of classes, or None.
        schema: What the columns are, for the rows of a table, or None.
        ids: What identifies each example, such as texts or numbers (N,), or None.
        weight: The weight of each example in training, numbers (N,) of at least 0, or None: see `batches`.

    Raises:
        DataError: If the array is empty or of another dtype, if values lie outside the levels, or if labels, conditions
            or masks do not fit the examples.
    """

    raw: np.ndarray
    labels: np.ndarray | None = None
    num_levels: int | None = None
    name: str = "data"
    channel_added: bool = False
    condition: np.ndarray | None = None
    observed: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    condition_names: tuple[str, ...] | None = None
    schema: Schema | None = None
    ids: np.ndarray | None = None
    weight: np.ndarray | None = None

    def __post_init__(self) -> None:
        raw = plain_values(self.raw, self.name).view()
        self._require_usable(raw)
        raw.flags.writeable = False
        object.__setattr__(self, "raw", raw)
        object.__setattr__(self, "condition", checked_condition(self.condition, len(raw), self.name))
        object.__setattr__(self, "observed", checked_observed(self.observed, raw.shape, self.name))
        object.__setattr__(self, "ids", checked_ids(self.ids, len(raw), self.name))
        object.__setattr__(self, "weight", checked_weight(self.weight, len(raw), self.name))
        object.__setattr__(self, "class_names", checked_names(self.class_names))
        object.__setattr__(self, "condition_names", checked_names(self.condition_names))
        if self.labels is None:
            return
        labels = plain_values(self.labels, f"labels of {self.name}")
        if labels.shape != (len(raw),) or labels.dtype.kind not in "ui":
            raise DataError(
                f"The labels of {self.name} do not fit its examples. Expected integers of shape ({len(raw)},). "
                f"Received: labels.shape={labels.shape}, labels.dtype={labels.dtype}"
            )
        object.__setattr__(self, "labels", labels.astype(np.int64, copy=False))

    def _require_usable(self, raw: np.ndarray) -> None:
        if raw.ndim < 2 or 0 in raw.shape:
            raise DataError(
                f"{self.name} has no examples. Expected at least one along the first axis, and event axes, none of "
                f"length zero. Received: raw.shape={raw.shape}"
            )
        if self.num_levels is None:
            if raw.dtype != np.float32 or not np.isfinite(raw).all():
                raise DataError(
                    f"{self.name} has no num_levels, so its values must be finite float32. Convert them with "
                    f"astype('float32'), or give num_levels with a uint8 array. Received: raw.dtype={raw.dtype}"
                )
            return
        if not 2 <= self.num_levels <= 256:
            raise DataError(f"num_levels of {self.name} must be 2 to 256. Received: num_levels={self.num_levels}")
        if raw.dtype != np.uint8 or raw.max() >= self.num_levels:
            raise DataError(
                f"{self.name} with num_levels={self.num_levels} must have uint8 values from 0 to "
                f"{self.num_levels - 1}. Received: raw.dtype={raw.dtype}, raw.max()={raw.max()}"
            )

    def __len__(self) -> int:
        return len(self.raw)

    def __repr__(self) -> str:
        values = "float32 values" if self.num_levels is None else f"{self.num_levels} levels"
        labels = "no labels" if self.labels is None else "labels"
        others = "" if self.condition is None else f", conditions of shape {self.condition.shape[1:]}"
        others += "" if self.observed is None else ", missing values"
        return f"Split({self.name!r}: {len(self)} examples of shape {self.event_shape}, {values}, {labels}{others})"

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.raw.shape[1:]

    @property
    def x(self) -> np.ndarray:
        """All examples as float32: levels scaled to [0, 1], floats unchanged. Levels make a new array at each call."""
        return noise.scaled(self.raw, self.num_levels)

    @property
    def has_labels(self) -> bool:
        """Whether there is a label for each example."""
        return self.labels is not None

    @property
    def condition_shape(self) -> tuple[int, ...] | None:
        """The shape of one condition, or None."""
        return None if self.condition is None else self.condition.shape[1:]

    @property
    def has_missing(self) -> bool:
        """Whether values may be missing."""
        return self.observed is not None

    @functools.cached_property
    def value_range(self) -> tuple[float, float]:
        """The smallest and the largest x; 0 and 1 for levels, whatever values occur."""
        if self.num_levels is not None:
            return (0.0, 1.0)
        values = self.raw if self.observed is None else self.raw[self.observed]
        return float(values.min()), float(values.max())

    def take(self, n: int) -> "Split":
        """Returns the first n examples, or all of them where there are fewer.

        Raises:
            ValueError: If n < 1.
        """
        if n < 1:
            raise ValueError(f"take needs at least one example of {self.name}. Received: n={n}")
        return self.rows(slice(n))

    def rows(self, rows: slice | np.ndarray) -> "Split":
        """Returns some of the examples."""
        parts = (self.labels, self.condition, self.observed, self.ids, self.weight)
        labels, condition, observed, ids, weight = (None if part is None else part[rows] for part in parts)
        return replace(
            self,
            raw=self.raw[rows],
            labels=labels,
            condition=condition,
            observed=observed,
            ids=ids,
            weight=weight,
        )

    def with_condition(self, condition: np.ndarray, names: tuple[str, ...] | None) -> Self:
        """Returns the split with other conditions, and the names of their classes or None."""
        return replace(self, condition=condition, condition_names=names)

    def _with_fixed(self, draw: FixedDraw) -> Self:
        if draw.kind == "threshold":
            raw = (self.x > draw.number).astype(np.uint8)
        elif draw.kind == "bernoulli":
            raw = noise.bernoulli(self.raw, self.num_levels, int(draw.number))
        else:
            raw = noise.dequantized(self.raw, require_levels(self), int(draw.number))
        return replace(self, raw=raw, num_levels=draw.num_levels)

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
        """Makes batches of `x` for `model.fit`. They depend on the seed, the pass and the batch number alone.

        Every pass over the dataset (an epoch) has its own order and its own noise. A second dataset with the same
        arguments, in this process or another, repeats the same passes. TensorFlow's global seed has no effect.

        Args:
            batch_size: The number of examples in a batch, at least 1.
            shuffle: Whether each pass has its own order, uniform over all orders.
            seed: The seed of the order and the noise.
            binarize: "dynamic" draws Bernoulli(x) in every batch of every pass, which guards against overfitting;
                "static" draws once, as `binarized(seed)` does; None keeps gray values. Binary data stay unchanged.
            dequantize: Whether to add uniform noise in every pass, as `dequantized` does once.
            labels: Whether to yield (x, y) with y int64 instead of x.
            num_labelled: The number of labelled examples in each batch, for data of which few have a label (others have
                the label -1). They come first in the batch, and are used again as often as necessary; a pass has every
                example without a label once. With `shuffle` and `labels`. None draws all examples alike.
            drop_remainder: Whether to leave out a smaller last batch, which makes the batch axis static.

        Returns:
            A dataset of float32 [B, *event], with static event axes and a known cardinality. With conditions or missing
            values, its elements are dictionaries with the keys "x", "condition" and "observed"; with labels, pairs;
            with weights, (x, y, sample_weight), as Keras takes them, with NaN for y without labels.

        Raises:
            ValueError: If the batch size or the combination of arguments is invalid.
            DataError: If values lie outside [0, 1] and are to be binarized, if floats are to be dequantized, or if
                labels are missing.

        Numerics:
            Dynamic draws of levels compare 16 random bits with the level: probabilities are exact to 2**-16,
            and exactly 0 and 1 at the ends.

        References:
            Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, 2016, arXiv 1509.00519, section 5.1.
        """
        from tfvae.data.array_batches import make_batches
        from tfvae.data.orders import order_of

        draw = choose_draw(self, binarize, dequantize, labels)
        batch_size = checked_batch_size(batch_size, len(self), drop_remainder, self.name)
        split = self.binarized(seed) if binarize == "static" else self
        order = order_of(self, batch_size, shuffle, labels, num_labelled)
        return make_batches(
            split._stored if labels else split._stored._replace(labels=None),
            split.num_levels,
            batch_size,
            order=order,
            seed=seed,
            draw=draw,
            drop_remainder=drop_remainder,
        )

    @functools.cached_property
    def _stored(self) -> "Stored":
        """The arrays as tensors, which all datasets over one split share."""
        from tfvae.data.array_batches import on_host
        from tfvae.data.finishing import Stored

        parts = (self.raw, self.condition, self.observed, self.labels, self.weight)
        return Stored(*(None if part is None else on_host(part) for part in parts))

"""Evaluations take an array, a split or a data set; each gives batches of x."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._checks import whole_number
from tfvae._numerics import as_float
from tfvae.data import ShardedSplit, Split
from tfvae.models import _inputs
from tfvae.typing import Tensor


def batches_of_x(data: Any, batch_size: int, check: Callable[[Any], None]) -> Iterator[Tensor]:
    """Batches of x `[B, *event]`, in order; `check` sees each before it is cast.

    Raises:
        ValueError: when there are no examples.
    """
    batch_size = whole_number(batch_size, "batch_size")
    found = False
    for x in _raw_batches(data, batch_size):
        check(x)
        found = True
        yield as_float(x)
    if not found:
        raise ValueError("There are no examples to evaluate on.")


def _raw_batches(data: Any, batch_size: int) -> Iterator[Any]:
    if isinstance(data, ShardedSplit):
        data = data.batches(batch_size)
    if isinstance(data, tf.data.Dataset):
        for batch in data:
            yield _inputs.unpack(batch)[0]
        return
    x = data.x if isinstance(data, Split) else data
    x = x if tf.is_tensor(x) else np.asarray(x)
    for start in range(0, x.shape[0], batch_size):
        yield x[start : start + batch_size]

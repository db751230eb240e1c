"""The row of a table that stands for p(x|z) on the explore page."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfvae.tables import Schema
from tfvae.typing import Distribution, Tensor

# An odd number, and the most columns for which they are drawn.
_NUM_DRAWS_OF_MEDIAN, _MAX_DRAWN_COLUMNS = 101, 200


def shown_row(schema: Schema) -> Callable[[Distribution], Tensor]:
    """Returns the function from p(x|z) to a row: the most probable category, and about the median of numbers.

    A median is a typical value also where a few large values determine the mean, such as of amounts that are mostly
    zero. It is that of draws with a fixed seed, so that it changes smoothly with z. Of rows with many columns, which
    would take too long, it is the mean.
    """
    is_coded = np.array([bool(column.categories) for column in schema.used])

    def shown(likelihood: Distribution) -> Tensor:
        if len(is_coded) > _MAX_DRAWN_COLUMNS:
            return tf.where(is_coded, likelihood.mode(), likelihood.mean())
        draws = tf.sort(likelihood.sample(_NUM_DRAWS_OF_MEDIAN, seed=(0, 0)), axis=0)
        return tf.where(is_coded, likelihood.mode(), draws[_NUM_DRAWS_OF_MEDIAN // 2])

    return shown

"""Examples of real data, to calibrate an exported model and to measure it."""

from typing import Any

import numpy as np

from tfvae.data import reading
from tfvae.models import VAE

# The most examples, and the most numbers in them.
_MOST = 2000
_MOST_NUMBERS = 2**22


def real_examples(vae: VAE, data: Any, event_shape: tuple[int, ...], function: str) -> tuple[np.ndarray, np.ndarray]:
    """Examples to calibrate on and others to measure on, float32 `[n, *event]`, at most 1,000 of each.

    They are spread evenly over an array or a split, which may be sorted; of a dataset on disk or in a pipeline they are
    the first ones.

    Args:
        vae: The model.
        data: An array `[N, *event]`, a split of `tfvae.data`, or a data set whose batches hold x.
        event_shape: The shape of one x.
        function: The caller, such as "export.save_litert".

    Raises:
        TypeError: If `data` is none of these.
        ValueError: If `data` is None or empty, or the model does not take it.
    """
    if data is None:
        raise ValueError(
            f"{function} needs real data: what it writes is compared with the model on them, and int8 takes the ranges "
            "of its numbers from them. Give some hundred examples as `data`, such as splits.train."
        )
    most = max(2, min(_MOST, _MOST_NUMBERS // int(np.prod(event_shape, dtype=np.int64))))
    found = reading.spread(data, most)
    x = np.zeros([0, *event_shape], "float32") if found is None else found
    vae.check_data(x)
    x = x.astype("float32")
    return (x[::2], x[1::2]) if len(x) > 1 else (x, x)

"""Real examples for the calibration and the measurement of an exported model."""

from typing import Any

import numpy as np

from tfvae.data import reading
from tfvae.models import VAE

# Maximum number of examples, and of numbers in them.
_MAX_EXAMPLES = 2000
_MAX_NUMBERS = 2**22


def real_examples(vae: VAE, data: Any, event_shape: tuple[int, ...], function: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns examples for calibration and others for measurement, float32 `[n, *event]`, at most 1,000 of each.

    Examples of an array or a split, which may be ordered, are evenly spaced. Those of a data set on disk or in a
    pipeline are the first ones.

    Args:
        vae: The model.
        data: An array `[N, *event]`, a split of `tfvae.data`, or a data set whose batches contain x.
        event_shape: The shape of one x.
        function: The caller, such as "export.save_litert".

    Raises:
        TypeError: If `data` is not an array, a split or a data set.
        ValueError: If `data` is None, has no examples, or does not fit the model.
    """
    if data is None:
        raise ValueError(
            f"{function} needs real data to compare the files with the model and to choose the ranges of int8. Pass "
            "some hundred examples as `data`, such as splits.train. Received: data=None"
        )
    most = max(2, min(_MAX_EXAMPLES, _MAX_NUMBERS // int(np.prod(event_shape, dtype=np.int64))))
    found = reading.spread(data, most)
    x = np.zeros([0, *event_shape], "float32") if found is None else found
    vae.check_data(x)
    x = x.astype("float32")
    return (x[::2], x[1::2]) if len(x) > 1 else (x, x)

"""Real examples for the calibration and the measurement of an exported model."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae.data import reading
from tfvae.data.examples import CONDITION, OBSERVED
from tfvae.models import VAE
from tfvae.models.conditions import as_condition, repeated

# Maximum number of examples, and of numbers in them.
_MAX_EXAMPLES = 2000
_MAX_NUMBERS = 2**22


class RealExamples(NamedTuple):
    """Real examples.

    Attributes:
        x: Data, float32 `[n, *event]`, with NaN for missing values if that is how the model takes them.
        condition: Conditions, float32 `[n, *shape]`, or None.
    """

    x: np.ndarray
    condition: np.ndarray | None = None

    def rows(self, rows: slice) -> "RealExamples":
        """Returns some of the examples."""
        return RealExamples(self.x[rows], None if self.condition is None else self.condition[rows])


def real_examples(
    vae: VAE, data: Any, event_shape: tuple[int, ...], function: str
) -> tuple[RealExamples, RealExamples]:
    """Returns examples for calibration and others for measurement, at most 1,000 of each.

    Examples of an array or a split, which may be ordered, are evenly spaced. Those of a data set on disk or in a
    pipeline are the first ones.

    Args:
        vae: The model.
        data: An array `[N, *event]`, a split of `tfvae.data`, or a data set whose batches contain x. For a conditional
            model also the condition: a dictionary with the keys "x" and "condition", or a split that has it.
        event_shape: The shape of one x.
        function: The caller, such as "export.save_litert".

    Raises:
        TypeError: If `data` is not an array, a split or a data set.
        ValueError: If `data` is None, has no examples or conditions, or does not fit the model.
    """
    if data is None:
        raise ValueError(
            f"{function} needs real data to compare the files with the model and to choose the ranges of int8. Pass "
            "some hundred examples as `data`, such as splits.train. Received: data=None"
        )
    most = max(2, min(_MAX_EXAMPLES, _MAX_NUMBERS // int(np.prod(event_shape, dtype=np.int64))))
    found = reading.spread(data, most)
    x = np.zeros([0, *event_shape], "float32") if found is None else found.x
    condition, observed = (None, None) if found is None else (found.condition, found.observed)
    given = {"x": x, CONDITION: condition, OBSERVED: observed}
    vae.check_data({name: value for name, value in given.items() if value is not None})
    if observed is not None:
        x = np.where(observed, x, np.nan if vae.missing == "nan" else 0.0)
    rows = as_condition(condition, vae.condition_shape, "float32")
    rows = repeated(rows, vae.condition_shape, len(x))
    examples = RealExamples(x.astype("float32"), None if rows is None else np.asarray(tf.cast(rows, tf.float32)))
    return (examples.rows(slice(0, None, 2)), examples.rows(slice(1, None, 2))) if len(x) > 1 else (examples, examples)

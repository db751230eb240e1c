"""Distribution layer for rows of a table."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae._serialization import register
from tfvae.layers._table_adapted import TableAdapted
from tfvae.layers._table_columns import TableColumns
from tfvae.layers._table_part import Part
from tfvae.layers._table_parts import table_parts
from tfvae.layers._table_row import RowPart, TableRow
from tfvae.layers._table_statistics import TableStatistics, default_statistics
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.tables import Schema
from tfvae.typing import ConvertToTensorFn, Distribution, Tensor


@register
class TableLikelihood(DistributionLayer, TableAdapted):
    """Independent columns of a table, each with a distribution of its kind, in the units of the data.

    | kind | distribution | parameters of a column |
    | --- | --- | --- |
    | real, date | normal | loc, raw scale |
    | positive | log-normal | loc and raw scale of log x |
    | bounded | logistic on the interval | loc, raw scale |
    | count | negative binomial | log mean, raw inverse dispersion |
    | boolean | Bernoulli | logit |
    | category | categorical | a logit for each of K categories |
    | ordinal | ordered logistic | K - 1: a cut, raw differences of cuts |

    `adapt` computes statistics of the data, which are weights of this layer. Locs and scales are relative to them, and
    other parameters are added to those of the marginal distribution. Parameters of zero then are about the best model
    without latents, and outputs of about unit size are right for a column of any unit. The gradient with respect to the
    parameters does not depend on units. Log densities do: if x is multiplied by c, that of its column is lower by
    log c, for every model alike. `TableEncoding` is the layer for the encoder.

    Args:
        schema: The columns. A row x `[D]` has one number for each column that is used.
        min_scale: The smallest learned standard deviation of a real, date, positive or bounded column, as a share of
            its standard deviation in the data. Without it, the density of a value that is often repeated, such as 0,
            would grow without limit, and this column would rule the loss.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., params_size(schema)]`, grouped by kind.

    Returns:
        A distribution of rows, of event shape `[D]`. `mean` is the expected value of each column, also of the codes 0,
        1, ... of an ordinal or boolean column. A category has none, and gets the code of the most probable one. `mode`
        is a valid row. `log_prob_by_column(x)` has the log density or log probability of each column, `[..., D]`.

    Raises:
        TypeError: If `schema` is not a schema.
        ValueError: If no column is used, or `min_scale` is not between 0 and 1.

    Numerics:
        The standard deviation is min_scale + softplus(raw value) on the standardised scale. Densities are evaluated at
        standardised values. They are -inf at values that the kind of a column excludes, such as codes of unknown
        categories, with a gradient of zero. The density of a bounded column is positive and finite at its limits. The
        log mean of a count is clipped to +-60.

    References:
        Nazabal et al., Handling Incomplete Heterogeneous Data using VAEs, 2018, arXiv 1807.03653, section 2, has these
        likelihoods. The code of Xu et al., Modeling Tabular Data using Conditional GAN, 2019, arXiv 1907.00503, has the
        same smallest scale, 0.01. That of both Nazabal et al. and Mattei & Frellsen 2019, arXiv 1812.02633, is 0.001.

    Example:
        >>> schema = Schema([Column("height", "positive"), Column("colour", "category", ("red", "green", "blue"))])
        >>> likelihood = TableLikelihood(schema)
        >>> likelihood.adapt(np.array([[1.5, 0], [1.7, 2], [np.nan, 0]]))
        >>> likelihood(tf.zeros([1, TableLikelihood.params_size(schema)])).mode().numpy().round(2)
        array([[1.59, 0.  ]], dtype=float32)
    """

    def __init__(
        self,
        schema: Schema,
        min_scale: float = 0.01,
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(convert_to_tensor_fn, validate_args, **kwargs)
        if not 0.0 < min_scale < 1.0:
            raise ValueError(f"`min_scale` must be between 0 and 1. Received: min_scale={min_scale}")
        self._set_schema(schema)
        self.min_scale = min_scale
        self._parts = table_parts(self.columns, min_scale)
        start = _start(self._parts, default_statistics(self.columns))
        self.start = self.add_weight(
            name="start", shape=start.shape, initializer=keras.initializers.Constant(start), trainable=False
        )

    def _assign(self, statistics: TableStatistics) -> None:
        super()._assign(statistics)
        self.start.assign(_start(self._parts, statistics))

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (len(self.columns),)

    @property
    def parameters_size(self) -> int:
        return sum(part.size for part in self._parts)

    def make_distribution(self, parameters: Tensor) -> Distribution:
        parameters = tf.convert_to_tensor(parameters)
        start, loc, scale = (tf.cast(weight, parameters.dtype) for weight in (self.start, self.loc, self.scale))
        of_parts = tf.split(parameters + start, [part.size for part in self._parts], axis=-1)
        made = []
        for part, each in zip(self._parts, of_parts, strict=True):
            part_loc, part_scale = (tf.gather(statistic, part.places) for statistic in (loc, scale))
            made.append(RowPart(part.places, part.distribution(each, part_loc, part_scale)))
        return TableRow(made, self.columns)

    @staticmethod
    def params_size(schema: Schema, name: str | None = None) -> int:
        """Returns the number of parameters of a row."""
        return sum(part.size for part in table_parts(TableColumns(schema), min_scale=0.5))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "min_scale": self.min_scale}


def _start(parts: list[Part], statistics: TableStatistics) -> np.ndarray:
    """Returns the parameters of about the marginal distribution of each column."""
    return np.concatenate([part.start(statistics) for part in parts])

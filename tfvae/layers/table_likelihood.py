"""Distribution layer for rows of a table."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae._checks import whole_number
from tfvae._serialization import register
from tfvae.layers._table_adapted import TableAdapted
from tfvae.layers._table_columns import TableColumns
from tfvae.layers._table_padding import for_rows
from tfvae.layers._table_part import Part, Scales
from tfvae.layers._table_parts import table_parts
from tfvae.layers._table_row import RowPart, TableRow, columns_first
from tfvae.layers._table_statistics import TableStatistics, default_statistics
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.tables import Schema
from tfvae.typing import ConvertToTensorFn, Distribution, Tensor


@register
class TableLikelihood(DistributionLayer, TableAdapted):
    """Independent columns of a table, each with a distribution of its kind, in the units of the data.

    | kind | distribution | parameters of a column |
    | --- | --- | --- |
    | real, date | mixture of K logistics on the interval of the data | 3 K: logits, locs, raw scales |
    | bounded | the same on the interval of the column | 3 K |
    | positive | the same of log x | 3 K |
    | count | the same of log(1 + t), where x is t rounded to a count | 3 K |
    | boolean | Bernoulli | logit |
    | category | categorical | a logit for each of M categories |
    | ordinal | ordered logistic | M - 1: a cut, raw differences of cuts |

    A number with A atoms, which are values that are repeated often (`Column.atoms`), also has A + 1 logits: of the
    numbers that are no atoms, and of each atom. `log_prob` is then a density with respect to the sum of a counting
    measure on the atoms and the Lebesgue measure elsewhere: at an atom it is the log of a probability. For counts it is
    the log of a probability everywhere.

    A share of 0.001 of the numbers follows a wide logistic distribution, with mean and standard deviation of the data,
    instead of the mixture, so that values beyond the smallest and the largest in the data have a density. Bounded
    columns have no such share. `mean` leaves it out.

    `adapt` computes statistics of the data, which are weights of this layer, and fits a mixture to each number. Locs
    and scales are relative to its components, and other parameters are added to those of the marginal distribution.
    Parameters of zero then are about the best model without latents, and outputs of about unit size are right for a
    column of any unit. The gradient with respect to the
    parameters does not depend on units. Log densities do: if x is multiplied by c, that of its column is lower by
    log c, for every model alike. `TableEncoding` is the layer for the encoder.

    Args:
        schema: The columns. A row x `[D]` has one number for each column that is used.
        min_scale: The smallest learned standard deviation of a component, as a share of the standard deviation of its
            column in the data. Without it, the density of a value that is repeated would grow without limit, and its
            column would rule the loss.
        num_components: The number K of components of a mixture.
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
        The standard deviation of a component is at least min_scale on the standardised scale. Densities are evaluated
        at standardised values. They are -inf at values that the kind of a column excludes, such as codes of unknown
        categories, with a gradient of zero. The density of a bounded column is positive and finite at its limits. The
        mean of a positive number or a count is computed with 12 nodes for each component.

    References:
        Nazabal et al., Handling Incomplete Heterogeneous Data using VAEs, 2018, arXiv 1807.03653, section 2, has a
        likelihood for each kind. Xu et al., Modeling Tabular Data using Conditional GAN, 2019, arXiv 1907.00503,
        section 4.2, has numbers relative to the components of a mixture; its code has the same smallest scale, 0.01.
        That of both Nazabal et al. and Mattei & Frellsen 2019, arXiv 1812.02633, is 0.001.

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
        num_components: int = 3,
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(convert_to_tensor_fn, validate_args, **kwargs)
        if not 0.0 < min_scale < 1.0:
            raise ValueError(f"`min_scale` must be between 0 and 1. Received: min_scale={min_scale}")
        self._set_schema(schema)
        self.min_scale = min_scale
        self.num_components = whole_number(num_components, "num_components")
        self._parts = table_parts(self.columns, min_scale, self.num_components)
        statistics = default_statistics(self.columns)
        weights = {"start": _start(self._parts, statistics), "low": statistics.low, "high": statistics.high}
        for name, value in weights.items():
            initializer = keras.initializers.Constant(value)
            weight = self.add_weight(name=name, shape=value.shape, initializer=initializer, trainable=False)
            setattr(self, name, weight)

    def _assign(self, statistics: TableStatistics) -> None:
        super()._assign(statistics)
        self.start.assign(_start(self._parts, statistics))
        self.low.assign(statistics.low)
        self.high.assign(statistics.high)

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (len(self.columns),)

    @property
    def parameters_size(self) -> int:
        return sum(part.size for part in self._parts)

    def make_distribution(self, parameters: Tensor) -> Distribution:
        parameters = columns_first(tf.convert_to_tensor(parameters))
        num_axes = parameters.shape.rank - 1
        start, *scales = (
            for_rows(tf.cast(weight, parameters.dtype), num_axes)
            for weight in (self.start, self.loc, self.scale, self.low, self.high)
        )
        sizes = [part.size for part in self._parts]
        made = []
        split = tf.split(parameters, sizes), tf.split(start, sizes)
        for part, of_part, start_of_part in zip(self._parts, *split, strict=True):
            scales_of_part = Scales(*(tf.gather(each, part.places) for each in scales))
            made.append(RowPart(part.places, part.distribution(of_part, start_of_part, scales_of_part)))
        return TableRow(made, self.columns)

    @staticmethod
    def params_size(schema: Schema, num_components: int = 3, name: str | None = None) -> int:
        """Returns the number of parameters of a row."""
        return sum(part.size for part in table_parts(TableColumns(schema), 0.5, num_components))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "min_scale": self.min_scale, "num_components": self.num_components}


def _start(parts: list[Part], statistics: TableStatistics) -> np.ndarray:
    """Returns the parameters of about the marginal distribution of each column."""
    return np.concatenate([part.start(statistics) for part in parts])

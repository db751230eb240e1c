"""Layers that store the statistics of the columns of a table."""

from typing import Any

import keras

from tfvae.layers._table_columns import TableColumns, schema_config, schema_from_config
from tfvae.layers._table_statistics import TableStatistics, default_statistics, table_statistics
from tfvae.tables import Schema


class TableAdapted(keras.layers.Layer):
    """Layer for rows of a table, with non-trainable weights that `adapt` computes from data.

    The weights `loc` and `scale` have one number for each column: mean and standard deviation of the values, or of
    their logarithm for a positive column and of `log(1 + x)` for a count.
    """

    schema: Any = None
    columns: Any = None
    loc: Any = None
    scale: Any = None

    def _set_schema(self, schema: Schema) -> None:
        self.columns = TableColumns(schema)
        self.schema = schema
        statistics = default_statistics(self.columns)
        for name in ("loc", "scale"):
            initializer = keras.initializers.Constant(getattr(statistics, name))
            weight = self.add_weight(name=name, shape=(len(self.columns),), initializer=initializer, trainable=False)
            setattr(self, name, weight)

    def adapt(self, data: Any, observed: Any = None) -> None:
        """Computes the statistics of the columns.

        Missing values, which are NaN or False in a mask, are left out. A column without any value, or with one value
        only, gets the scale that it has before `adapt`.

        Args:
            data: Rows `[N, D]`, a dictionary with the keys "x" and "observed", or a `tf.data.Dataset` of batches of x,
                of such dictionaries, or of tuples that begin with one of these.
            observed: Boolean array `[N, D]`, False at missing values, for data that are an array.

        Raises:
            ValueError: If there are no rows, or they have another number of columns or a value that the kind of its
                column excludes.
        """
        data = data if observed is None else {"x": data, "observed": observed}
        self._assign(table_statistics(self.columns, data))

    def _assign(self, statistics: TableStatistics) -> None:
        self.loc.assign(statistics.loc)
        self.scale.assign(statistics.scale)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "schema": schema_config(self.schema)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**{**config, "schema": schema_from_config(config["schema"])})

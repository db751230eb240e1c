"""Checks and conversion of the data that a VAE receives."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae.data.examples import CONDITION, OBSERVED, single
from tfvae.layers import DistributionLayer
from tfvae.models import _checks, _inputs, _weights
from tfvae.models._stop_outside_support import StopOutsideSupport
from tfvae.models.batch import Batch, as_batch
from tfvae.models.conditions import as_condition, symbolic_condition
from tfvae.models.missing import Missing, observed_part, observed_values, with_missing
from tfvae.typing import Tensor


class CheckedInputModel(keras.Model):
    """Keras model with one input x, which is checked against the shape and the support of the likelihood.

    Args:
        **kwargs: Arguments of `keras.Model`.
    """

    condition_shape: tuple[int, ...] | None = None  # of a model that has no condition
    missing: Missing = None

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)

    @property
    def _likelihood_layer(self) -> DistributionLayer | None:
        """The layer that returns p(x|z), or None if it cannot be found."""
        raise NotImplementedError

    @property
    def event_shape(self) -> tuple[int, ...] | None:
        """The shape of one x, or None if the distribution layer of the decoder does not define it."""
        layer = self._likelihood_layer
        return None if layer is None else layer.event_shape

    def _build_symbolically(self, event_shape: Any) -> None:
        # A call instead of `build`, so that Keras records the input of the model for `model.export`.
        x = keras.KerasTensor((None, *event_shape), dtype=self.variable_dtype)
        if self.condition_shape is None:
            self(x)
        else:
            self({"x": x, CONDITION: symbolic_condition(self.condition_shape, None, self.variable_dtype)})

    def _cast(self, x: Tensor) -> Tensor:
        """Converts x to the precision of the distributions: float32, or float64 for a float64 model."""
        return tf.cast(x, self.variable_dtype)

    def _standard_scores(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def check_data(self, data: Any) -> Any:
        """Raises ValueError for data that `fit` refuses. Returns x of the first batch, or None if it cannot be read.

        In a model with `missing="nan"`, missing values are NaN there. Otherwise they are zeros.
        """
        with _inputs.reporting_shapes(self.event_shape):
            found = _inputs.first_batch(data)
        if found is None:
            return None
        x = found.x
        _checks.check_static(x, self.event_shape)
        _checks.check_values(observed_values(np.asarray(x), found.observed, self.missing), self._likelihood_layer)
        _weights.as_weights(found.sample_weight, len(x))
        self._own_condition(found.condition)
        if not self.built:
            with self.distribute_strategy.scope():
                self._build_symbolically(x.shape[1:])
        return with_missing(observed_part(x, found.observed, self.missing), self.missing)

    def batch_of(self, data: Any) -> Batch:
        """Converts the argument of a training step to a checked batch in the dtype of the model.

        Raises:
            ValueError: If the dtype or the shape of x or of the weights does not fit the model.
        """
        batch = as_batch(data)
        x = batch.x
        _checks.check_static(x, self.event_shape)
        if self.event_shape is not None and isinstance(x, tf.Tensor) and not x.shape[1:].is_fully_defined():
            x = tf.ensure_shape(x, [None, *self.event_shape])
        x, observed = observed_part(self._cast(x), batch.observed, self.missing)
        return batch._replace(
            x=x,
            observed=observed,
            condition=self._own_condition(batch.condition),
            sample_weight=_weights.per_example(batch.sample_weight, x),
        )

    def _own_condition(self, condition: Any) -> Any:
        """Returns a condition for the networks. Objectives of a model without one may use it for other things."""
        if self.condition_shape is None:
            return condition
        return as_condition(condition, self.condition_shape, self.variable_dtype)

    def is_outside(self, x: Tensor) -> Tensor | None:
        """Whether a batch has values outside the support, as a scalar tensor. None if the support is unbounded."""
        likelihood = self._likelihood_layer
        return None if likelihood is None else _checks.is_outside(x, likelihood.support)

    def _data_check_callbacks(self) -> list[keras.callbacks.Callback]:
        """Returns the callbacks that refuse bad data during an epoch."""
        likelihood = self._likelihood_layer
        return [] if likelihood is None or likelihood.support is None else [StopOutsideSupport()]

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        # Keras would search a dictionary, a list or a table for tensors.
        inputs = _inputs.standardized(inputs, self.event_shape)
        if isinstance(inputs, dict) and self.condition_shape is None:
            inputs = single(inputs)
        elif isinstance(inputs, dict):
            others = {OBSERVED: inputs[OBSERVED]} if OBSERVED in inputs else {}
            inputs = {"x": single(inputs), CONDITION: self._condition_in(inputs), **others}
        return super().__call__(inputs, *args, **kwargs)

    def _condition_in(self, inputs: dict[str, Any]) -> Any:
        found = inputs.get(CONDITION)
        is_symbolic = isinstance(found, keras.KerasTensor)
        return found if is_symbolic else as_condition(found, self.condition_shape, self.variable_dtype)

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: Any = "auto", steps: Any = None, callbacks: Any = None
    ) -> Any:
        """Draws from p(x|z) with z drawn from q(z|x), like `keras.Model.predict`, for the data that `fit` accepts."""
        x = _inputs.standardized(x, self.event_shape)
        with _inputs.reporting_shapes(self.event_shape):
            return super().predict(x, batch_size=batch_size, verbose=verbose, steps=steps, callbacks=callbacks)

    def predict_on_batch(self, x: Any) -> Any:
        """Works like `keras.Model.predict_on_batch`."""
        return super().predict_on_batch(_inputs.standardized(x, self.event_shape))

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Works like `keras.Model.train_on_batch`."""
        x = _inputs.standardized(x, self.event_shape)
        sample_weight = _inputs.weights_of(x, sample_weight)
        return super().train_on_batch(x, y, sample_weight, class_weight=class_weight, return_dict=return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Works like `keras.Model.test_on_batch`."""
        x = _inputs.standardized(x, self.event_shape)
        return super().test_on_batch(x, y, _inputs.weights_of(x, sample_weight), return_dict=return_dict)

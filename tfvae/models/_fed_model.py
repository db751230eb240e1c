"""The half of a VAE that takes data: what it is fed is checked, and given the form that its steps take."""

from typing import Any

import keras
import tensorflow as tf

from tfvae.data.examples import single
from tfvae.layers import DistributionLayer
from tfvae.models import _checks, _inputs, _weights
from tfvae.models._stop_outside_support import StopOutsideSupport
from tfvae.models.batch import Batch, as_batch
from tfvae.typing import Tensor


class FedModel(keras.Model):
    """A Keras model of one input x, whose shape and support its likelihood knows.

    Args:
        **kwargs: of `keras.Model`.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)

    @property
    def _likelihood_layer(self) -> DistributionLayer | None:
        """The layer that makes p(x|z), where it can be found."""
        raise NotImplementedError

    @property
    def event_shape(self) -> tuple[int, ...] | None:
        """The shape of one x, where the decoder's distribution layer knows it."""
        layer = self._likelihood_layer
        return None if layer is None else layer.event_shape

    def _build_symbolically(self, event_shape: Any) -> None:
        # A whole call, not only `build`, so that Keras knows the model's input: `model.export` asks for it.
        self(keras.KerasTensor((None, *event_shape), dtype=self.variable_dtype))

    def _cast(self, x: Tensor) -> Tensor:
        """X in the precision of the distributions: float32, or float64 for a model of it."""
        return tf.cast(x, self.variable_dtype)

    def _standard_scores(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def check_data(self, data: Any) -> Any:
        """Raises ValueError for data that `fit` refuses; returns x of the first batch, where it can be looked at."""
        with _inputs.naming_shapes(self.event_shape):
            x, sample_weight = _inputs.first_batch(data)
        if x is not None:
            _checks.check_static(x, self.event_shape)
            _checks.check_values(x, self._likelihood_layer)
            _weights.as_weights(sample_weight, len(x))
            if not self.built:
                with self.distribute_strategy.scope():
                    self._build_symbolically(x.shape[1:])
        return x

    def batch_of(self, data: Any) -> Batch:
        """Makes a checked batch, in the model's dtype, of what Keras hands to a step.

        Raises:
            ValueError: If dtype or shape of x or of the weights are not what the model takes.
        """
        batch = as_batch(data)
        x = batch.x
        _checks.check_static(x, self.event_shape)
        if self.event_shape is not None and isinstance(x, tf.Tensor) and not x.shape[1:].is_fully_defined():
            x = tf.ensure_shape(x, [None, *self.event_shape])
        return batch._replace(x=self._cast(x), sample_weight=_weights.per_example(batch.sample_weight, x))

    def is_outside(self, x: Tensor) -> Tensor | None:
        """Whether a batch has values outside the likelihood's support, a scalar; None where it has no bounds."""
        likelihood = self._likelihood_layer
        return None if likelihood is None else _checks.is_outside(x, likelihood.support)

    def _guards(self) -> list[keras.callbacks.Callback]:
        """The callbacks that refuse bad data in the middle of a pass."""
        likelihood = self._likelihood_layer
        return [] if likelihood is None or likelihood.support is None else [StopOutsideSupport()]

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        # Keras would look for tensors in a dictionary, a list or a table.
        inputs = _inputs.standardized(inputs, self.event_shape)
        return super().__call__(single(inputs) if isinstance(inputs, dict) else inputs, *args, **kwargs)

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: Any = "auto", steps: Any = None, callbacks: Any = None
    ) -> Any:
        """As `keras.Model.predict`, for the data that `fit` takes: draws from p(x|z), with z drawn from q(z|x)."""
        x = _inputs.standardized(x, self.event_shape)
        with _inputs.naming_shapes(self.event_shape):
            return super().predict(x, batch_size=batch_size, verbose=verbose, steps=steps, callbacks=callbacks)

    def predict_on_batch(self, x: Any) -> Any:
        """As `keras.Model.predict_on_batch`."""
        return super().predict_on_batch(_inputs.standardized(x, self.event_shape))

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """As `keras.Model.train_on_batch`."""
        x = _inputs.standardized(x, self.event_shape)
        sample_weight = _inputs.weights_of(x, sample_weight)
        return super().train_on_batch(x, y, sample_weight, class_weight=class_weight, return_dict=return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """As `keras.Model.test_on_batch`."""
        x = _inputs.standardized(x, self.event_shape)
        return super().test_on_batch(x, y, _inputs.weights_of(x, sample_weight), return_dict=return_dict)

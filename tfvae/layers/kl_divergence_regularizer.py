"""Activity regulariser that adds a KL term to the loss."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._kl import exact_kl
from tfvae._numerics import as_dtype
from tfvae._serialization import (
    deserialize_distribution,
    deserialize_function,
    is_serialized_distribution,
    register,
    serialize_distribution,
    serialize_function,
)
from tfvae.layers._captured_variables import captured_variables, draw_once, trainable_variables_of
from tfvae.layers._coercion import as_distribution
from tfvae.layers._stable import stable
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

_VARIABLE_KEY = "variable"


@register
class KLDivergenceRegularizer(keras.regularizers.Regularizer):
    """Computes `weight` * KL(q || p) in nats, averaged over the batch; with an NLL loss, training then minimises -ELBO.

    Pass it to a distribution layer as `activity_regularizer`. The names are those of TFP, but the scale is not:
    `tfp.layers` adds the term twice under tf_keras, sums over test points, or multiplies by the batch size
    (tensorflow/probability #1215, #651, #282, #396).

    Args:
        distribution_b: The prior p: a distribution, a callable that returns one, a layer of `tfvae.priors`, or a Keras
            model that returns one independently of its input. The weights of a layer or model are trained and saved
            with the regularised model, and so are those of layers that a callable uses.
        use_exact_kl: True for the closed form, which raises an error if there is none. False for the Monte Carlo
            estimate log q(z) - log p(z) at `test_points_fn(q)`. None for the closed form if there is one, else the
            estimate.
        test_points_reduce_axis: Accepted for compatibility with `tfp.layers`. Every axis is averaged, so the scale does
            not depend on the number of test points.
        test_points_fn: Function that draws the test points z `[..., B, *event]` from q. Defaults to the sample that the
            next layer receives.
        weight: A number, a scalar variable, or a callable that returns one. None is equivalent to 1. A variable is read
            in every step and never trained. A saved model stores its value and restores a variable.

    Raises:
        ValueError: If the event shapes of q and p differ, or if the prior has trainable variables that Keras does not
            track.
        NotImplementedError: If `use_exact_kl=True` and the KL has no closed form.

    References:
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, equations 6 and 7.
    """

    def __init__(
        self,
        distribution_b: Distribution | Callable[[], Distribution] | keras.layers.Layer,
        use_exact_kl: bool | None = None,
        test_points_reduce_axis: Any = (),
        test_points_fn: Callable[[Distribution], Tensor] = tf.convert_to_tensor,
        weight: Any = None,
    ):
        if isinstance(distribution_b, tfd.Distribution):
            _without_variables(distribution_b, trainable_variables_of(as_distribution(distribution_b)))
        self.distribution_b = distribution_b
        self.use_exact_kl = use_exact_kl
        self.test_points_reduce_axis = test_points_reduce_axis
        self.test_points_fn = test_points_fn
        self.weight = weight
        self._captured: list[keras.Variable] | None = None

    @property
    def prior_layer(self) -> keras.layers.Layer | None:
        """The prior if it is a Keras layer or model, else None; the regularised layer tracks it and its weights."""
        return self.distribution_b if isinstance(self.distribution_b, keras.layers.Layer) else None

    @property
    def captured_variables(self) -> list[keras.Variable]:
        """The variables that a callable prior reads; the regularised layer tracks them."""
        b: Any = self.distribution_b
        if isinstance(b, tfd.Distribution | keras.layers.Layer) or not callable(b):
            return []
        if self._captured is None:
            owner = "The prior of KLDivergenceRegularizer"
            self._captured = captured_variables(lambda: draw_once(self._prior()), owner)
        return self._captured

    def build(self) -> None:
        """Builds the weights of the prior, if it has any."""
        layer = self.prior_layer
        if layer is not None and not layer.built:
            if hasattr(layer, "distribution"):
                layer.build(None)
                layer.built = True
            else:
                layer(keras.KerasTensor(_input_shape(layer)))

    def __call__(self, distribution_a: Distribution, mask: Tensor | None = None) -> Tensor:
        """Returns weight * mean KL, a scalar; a `mask` of the batch shape restricts the mean to its True entries."""
        if not isinstance(distribution_a, tfd.Distribution):
            raise TypeError(
                "KLDivergenceRegularizer regularises a distribution. Pass it to a distribution layer of tfvae.layers "
                f"as `activity_regularizer`. Received: {distribution_a!r}"
            )
        kl = self._kl(distribution_a, self._prior())
        if mask is None:
            total, count = tf.reduce_sum(kl), tf.size(kl, tf.int64)
        else:
            while mask.shape.rank > kl.shape.rank:  # masked event axes
                mask = tf.reduce_any(mask, axis=-1)
            mask = tf.broadcast_to(mask, tf.shape(kl))
            total, count = tf.reduce_sum(tf.where(mask, kl, tf.zeros_like(kl))), tf.math.count_nonzero(mask)
        mean = tf.math.divide_no_nan(total, tf.cast(count, kl.dtype))
        weight = self.weight() if callable(self.weight) else self.weight
        return mean if weight is None else mean * as_dtype(weight, kl.dtype)

    def _prior(self) -> Distribution:
        b: Any = self.distribution_b
        if isinstance(b, tfd.Distribution):
            return stable(as_distribution(b))
        if isinstance(b, keras.layers.Layer):
            self.build()
            return b.distribution() if hasattr(b, "distribution") else as_distribution(b(tf.zeros(_input_shape(b))))
        if callable(b):
            prior = as_distribution(b())
            return stable(_without_variables(prior, prior.trainable_variables))
        raise TypeError(
            "The prior must be a distribution, a callable that returns one, a Keras model or a layer of tfvae.priors. "
            f"Received: distribution_b={b!r}"
        )

    def _kl(self, a: Distribution, b: Distribution) -> Tensor:
        if not a.event_shape.is_compatible_with(b.event_shape):
            raise ValueError(
                "The event shapes of posterior and prior must be equal. If the dimensions of the prior are in its "
                "batch shape, wrap it in tfd.Independent. Received: a posterior with event shape "
                f"{a.event_shape} and a prior with event shape {b.event_shape}"
            )
        try:
            tf.broadcast_static_shape(a.batch_shape, b.batch_shape)
        except ValueError:
            raise ValueError(
                "The batch shape of the prior must broadcast against that of the posterior. If its axes are dimensions "
                f"of one event, wrap the prior in tfd.Independent. Received: a prior with batch shape {b.batch_shape} "
                f"and a posterior with batch shape {a.batch_shape}"
            ) from None
        if as_distribution(a).dtype != b.dtype:
            raise ValueError(
                "Posterior and prior must have the same dtype. Create the prior with parameters in the dtype of the "
                "posterior; NumPy arrays are float64 by default. Received: a posterior of dtype "
                f"{as_distribution(a).dtype} and a prior of dtype {b.dtype}"
            )
        if self.use_exact_kl is not False:
            try:
                return exact_kl(as_distribution(a), b)
            except NotImplementedError:
                if self.use_exact_kl:
                    raise NotImplementedError(
                        "KL(q || p) has no known closed form. Use use_exact_kl=None to estimate it in this case, or "
                        f"False to estimate it always. Received: q={as_distribution(a)!r}, p={b!r}"
                    ) from None
        z = tf.convert_to_tensor(self.test_points_fn(a))
        return a.log_prob(z) - b.log_prob(z)

    def get_config(self) -> dict[str, Any]:
        b: Any = self.distribution_b
        if isinstance(b, tfd.Distribution):
            prior = serialize_distribution(as_distribution(b))
        else:
            prior = serialize_function(b, "distribution_b")
        weight = self.weight
        if isinstance(weight, tf.Variable | keras.Variable):
            weight = {_VARIABLE_KEY: float(tf.convert_to_tensor(weight))}
        elif callable(weight):
            weight = serialize_function(weight, "weight")
        points = self.test_points_fn
        return {
            "distribution_b": prior,
            "use_exact_kl": self.use_exact_kl,
            "test_points_reduce_axis": self.test_points_reduce_axis,
            "test_points_fn": None if points is tf.convert_to_tensor else serialize_function(points, "test_points_fn"),
            "weight": weight,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "KLDivergenceRegularizer":
        prior, points, weight = config["distribution_b"], config["test_points_fn"], config["weight"]
        if isinstance(weight, dict) and _VARIABLE_KEY in weight:
            weight = keras.Variable(weight[_VARIABLE_KEY], trainable=False, dtype="float32", name="kl_weight")
        return cls(
            deserialize_distribution(prior) if is_serialized_distribution(prior) else deserialize_function(prior),
            use_exact_kl=config["use_exact_kl"],
            test_points_reduce_axis=config["test_points_reduce_axis"],
            test_points_fn=tf.convert_to_tensor if points is None else deserialize_function(points),
            weight=deserialize_function(weight),
        )


def _input_shape(layer: keras.layers.Layer) -> tuple[int, ...]:
    """Returns the shape of an input for a model that ignores its input."""
    inputs = getattr(layer, "inputs", None)
    return tuple(1 if axis is None else axis for axis in inputs[0].shape) if inputs else (1,)


def _without_variables(prior: Distribution, variables: Any) -> Distribution:
    if variables:
        raise ValueError(
            "The prior has variables that would not train, because Keras 3 tracks only the weights of layers. Use a "
            "layer of tfvae.priors, such as tfvae.priors.Normal, or a Keras model with a VariableLayer. "
            f"Received: {prior!r}"
        )
    return prior

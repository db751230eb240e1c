"""The KL term, as an activity regulariser."""

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
from tfvae.layers._captured_variables import captured_variables, draw, trainable_variables_of
from tfvae.layers._coercion import as_distribution
from tfvae.layers._stable import stable
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

_VARIABLE_KEY = "variable"


@register
class KLDivergenceRegularizer(keras.regularizers.Regularizer):
    """Adds `weight` * KL(q || p), in nats, once, averaged over the batch: with an NLL loss, training minimises -ELBO.

    Give it to a distribution layer as `activity_regularizer`. The names are TFP's, its factors are not: `tfp.layers`
    counts the term twice under tf_keras, sums over test points, or multiplies by the batch size
    (tensorflow/probability #1215, #651, #282, #396).

    Args:
        distribution_b: the prior p: a distribution, a callable that returns one, a layer of `tfvae.priors`, or a Keras
            model that returns one whatever its input. The weights of a layer or model train with the model and are
            saved with it, as do those of the layers that a callable calls.
        use_exact_kl: True for the closed form (an error where none is known), False for the Monte Carlo estimate
            log q(z) - log p(z) at `test_points_fn(q)`, None for the closed form where there is one.
        test_points_reduce_axis: accepted for `tfp.layers`' sake; every axis is averaged, so the scale never depends
            on how many test points there are.
        test_points_fn: draws the test points z `[..., B, *event]`; the default is the sample that the next layer sees.
        weight: a number, a scalar variable, or a callable that returns one; None is 1. A variable is read in every
            step and never trained; in a saved model its value becomes a variable again.

    Raises:
        ValueError: when the event shapes of q and p differ, or the prior has trainable variables that Keras cannot see.
        NotImplementedError: with `use_exact_kl=True`, for a pair without closed form.

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
        """The prior, where it is a Keras layer or model: who applies the regulariser tracks it, and so its weights."""
        return self.distribution_b if isinstance(self.distribution_b, keras.layers.Layer) else None

    @property
    def captured_variables(self) -> list[keras.Variable]:
        """The variables that a prior given as a function reads: who applies the regulariser tracks them."""
        b = self.distribution_b
        if isinstance(b, tfd.Distribution | keras.layers.Layer) or not callable(b):
            return []
        if self._captured is None:
            self._captured = captured_variables(lambda: draw(self._prior()), "The prior of KLDivergenceRegularizer")
        return self._captured

    def build(self) -> None:
        """Makes the weights of the prior, where it has any."""
        layer = self.prior_layer
        if layer is not None and not layer.built:
            if hasattr(layer, "distribution"):
                layer.build(None)
                layer.built = True
            else:
                layer(keras.KerasTensor(_input_shape(layer)))

    def __call__(self, distribution_a: Distribution, mask: Tensor | None = None) -> Tensor:
        """The scalar weight * mean KL; with a `mask` of the batch's shape, the mean over where it is True."""
        if not isinstance(distribution_a, tfd.Distribution):
            raise TypeError(
                "KLDivergenceRegularizer regularises a distribution: give it to a distribution layer of tfvae.layers "
                f"as activity_regularizer. Received: {distribution_a!r}."
            )
        kl = self._kl(distribution_a, self._prior())
        if mask is None:
            total, count = tf.reduce_sum(kl), tf.size(kl, tf.int64)
        else:
            while mask.shape.rank > kl.shape.rank:  # masked axes that are part of the event
                mask = tf.reduce_any(mask, axis=-1)
            mask = tf.broadcast_to(mask, tf.shape(kl))
            total, count = tf.reduce_sum(tf.where(mask, kl, tf.zeros_like(kl))), tf.math.count_nonzero(mask)
        mean = tf.math.divide_no_nan(total, tf.cast(count, kl.dtype))
        weight = self.weight() if callable(self.weight) else self.weight
        return mean if weight is None else mean * as_dtype(weight, kl.dtype)

    def _prior(self) -> Distribution:
        b = self.distribution_b
        if isinstance(b, tfd.Distribution):
            return stable(as_distribution(b))
        if isinstance(b, keras.layers.Layer):
            self.build()
            return b.distribution() if hasattr(b, "distribution") else as_distribution(b(tf.zeros(_input_shape(b))))
        if callable(b):
            prior = as_distribution(b())
            return stable(_without_variables(prior, prior.trainable_variables))
        raise TypeError(
            f"The prior is a distribution, a callable, a Keras model or a layer of tfvae.priors. Received: {b!r}."
        )

    def _kl(self, a: Distribution, b: Distribution) -> Tensor:
        if not a.event_shape.is_compatible_with(b.event_shape):
            raise ValueError(
                f"The posterior has event shape {a.event_shape} and the prior {b.event_shape}; KL needs them equal. "
                "If the prior's dimensions sit in its batch shape, wrap it in tfd.Independent."
            )
        try:
            tf.broadcast_static_shape(a.batch_shape, b.batch_shape)
        except ValueError:
            raise ValueError(
                f"The prior has batch shape {b.batch_shape}, which does not broadcast against {a.batch_shape} of the "
                "posterior. If its axes are dimensions of one event, wrap the prior in tfd.Independent."
            ) from None
        if as_distribution(a).dtype != b.dtype:
            raise ValueError(
                f"The posterior is of {as_distribution(a).dtype} and the prior of {b.dtype}. Make the prior of numbers "
                "in the posterior's dtype: NumPy's arrays are float64 unless told otherwise."
            )
        if self.use_exact_kl is not False:
            try:
                return exact_kl(as_distribution(a), b)
            except NotImplementedError:
                if self.use_exact_kl:
                    raise NotImplementedError(
                        f"No closed form of KL(q || p) is known for q = {as_distribution(a)!r} and p = {b!r}. With "
                        "use_exact_kl=None it is estimated where there is none, with False always."
                    ) from None
        z = tf.convert_to_tensor(self.test_points_fn(a))
        return a.log_prob(z) - b.log_prob(z)

    def get_config(self) -> dict[str, Any]:
        b = self.distribution_b
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
    """The shape of an input for a model that pays no heed to it."""
    inputs = getattr(layer, "inputs", None)
    return tuple(1 if axis is None else axis for axis in inputs[0].shape) if inputs else (1,)


def _without_variables(prior: Distribution, variables: Any) -> Distribution:
    if variables:
        raise ValueError(
            f"The prior {prior!r} has variables that would not train: Keras 3 sees only the weights of layers. Use a "
            "layer of tfvae.priors, such as tfvae.priors.Normal, or a Keras model with a VariableLayer."
        )
    return prior

"""Distribution layer for a sparse variational Gaussian process."""

from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import deserialize_function, register, serialize_function
from tfvae.layers._event_shape import event_shape_tuple
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.typing import ConvertToTensorFn, Distribution, Shape, Tensor

_NOISE_INITIALIZER = keras.initializers.Constant(-10.0)


@register
class VariationalGaussianProcess(DistributionLayer):
    """Distribution over function values at the layer's inputs: Gaussian process regression with minibatch training.

    The M inducing points, the posterior of their values, the noise and the constant mean are weights of the layer.
    Another layer provides the kernel. Train with the loss `lambda y, rv: rv.variational_loss(y, kl_weight=...)`, where
    `kl_weight` = batch size / number of examples.

    Args:
        num_inducing_points: Number of inducing points, M.
        kernel_provider: Keras layer with a property `kernel` that returns a `tfp.math.psd_kernels` kernel with the
            layer's current weights. The weights are trained with this layer. The layer itself is not called.
        event_shape: Shape of the function values, with at least one axis. Each element is a separate process.
        inducing_index_points_initializer: Initializer of the inducing points `[*event_shape, M, *features]`. Results
            depend on it; distribute the points over the range of the data.
        unconstrained_observation_noise_variance_initializer: Initializer of the noise variance before softplus. None
            removes the noise.
        variational_inducing_observations_scale_initializer: Initializer of the posterior scale `[*event_shape, M, M]`.
            None is 1e-5 times the identity.
        mean_fn: Prior mean, a function from index points `[..., N, *features]` to `[..., N]` or to a number. None is a
            trainable constant. The weights of a layer are trained with this layer.
        jitter: Positive number that is added to the diagonals of kernel matrices.
        convert_to_tensor_fn: See `DistributionLayer`.
        name: Name of the layer.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Index points `[N, *features]`.

    Returns:
        The joint distribution of the function values at the N points, of event shape `[N, *event_shape]`. It has two
        additional methods: `variational_loss(y, kl_weight=1.0)`, the negative lower bound on log p(y) for values y
        `[N, *event_shape]`, and `surrogate_posterior_kl_divergence_prior()`.

    Raises:
        TypeError: If `kernel_provider` is not a Keras layer.
        ValueError: If `event_shape` has no axes, or if the number of features is unknown.

    Numerics:
        Weights and values have the dtype of the kernel. With many inducing points, float32 may need a jitter above
        1e-6.

    References:
        M. K. Titsias, Variational learning of inducing variables in sparse Gaussian processes, AISTATS 2009.
        J. Hensman, N. Fusi and N. D. Lawrence, Gaussian processes for big data, 2013, arXiv 1309.6835, equation 4.
    """

    needs_input_shape: ClassVar[bool] = True

    def __init__(
        self,
        num_inducing_points: int,
        kernel_provider: keras.layers.Layer,
        event_shape: Shape | int = (1,),
        inducing_index_points_initializer: Any = None,
        unconstrained_observation_noise_variance_initializer: Any = _NOISE_INITIALIZER,
        variational_inducing_observations_scale_initializer: Any = None,
        mean_fn: Callable[[Tensor], Tensor] | None = None,
        jitter: float = 1e-6,
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        name: str | None = None,
        **kwargs: Any,
    ):
        kernel_provider = deserialize_function(kernel_provider)
        if not isinstance(kernel_provider, keras.layers.Layer):
            raise TypeError(
                "`kernel_provider` must be a Keras layer with a property `kernel` that returns a "
                f"tfp.math.psd_kernels kernel. Received: kernel_provider={kernel_provider!r} "
                f"(of type {type(kernel_provider).__name__})"
            )
        kwargs.setdefault("dtype", kernel_provider.variable_dtype)
        super().__init__(convert_to_tensor_fn, name=name, **kwargs)
        self.num_inducing_points = int(num_inducing_points)
        self.kernel_provider = kernel_provider
        self.value_shape = event_shape_tuple(event_shape)
        if not self.value_shape:
            raise ValueError(
                "`event_shape` must have at least one axis. Use (1,) for a function with scalar values. "
                "Received: event_shape=()"
            )
        self.inducing_index_points_initializer = keras.initializers.get(inducing_index_points_initializer)
        self.unconstrained_observation_noise_variance_initializer = keras.initializers.get(
            unconstrained_observation_noise_variance_initializer
        )
        self.variational_inducing_observations_scale_initializer = keras.initializers.get(
            variational_inducing_observations_scale_initializer
        )
        self.mean_fn = deserialize_function(mean_fn)
        self.jitter = float(jitter)

    def build(self, input_shape: Any) -> None:
        for part in (self.kernel_provider, self.mean_fn):
            if isinstance(part, keras.layers.Layer) and not part.built:
                part.build(input_shape)
        features = tuple(input_shape)[len(input_shape) - self.kernel_provider.kernel.feature_ndims :]
        if None in features:
            raise ValueError(
                f"VariationalGaussianProcess '{self.name}' needs the number of features to create inducing points, so "
                f"the feature axes of the input must be known. Received: input_shape={tuple(input_shape)}"
            )
        shape, number = self.value_shape, self.num_inducing_points
        self.constant_mean = self._add("mean", (), "zeros") if self.mean_fn is None else None
        noise = self.unconstrained_observation_noise_variance_initializer
        self.unconstrained_observation_noise_variance = (
            None if noise is None else self._add("observation_noise_variance", (), noise)
        )
        self.inducing_index_points = self._add(
            "inducing_index_points", (*shape, number, *features), self.inducing_index_points_initializer
        )
        self.variational_inducing_observations_loc = self._add(
            "variational_inducing_observations_loc", (*shape, number), "zeros"
        )
        self.variational_inducing_observations_scale = self._add(
            "variational_inducing_observations_scale",
            (*shape, number, number),
            self.variational_inducing_observations_scale_initializer
            or keras.initializers.Constant(1e-5 * np.eye(number)),
        )
        super().build(input_shape)

    def _add(self, name: str, shape: tuple[int, ...], initializer: Any) -> keras.Variable:
        dtype = tf.as_dtype(self.kernel_provider.kernel.dtype or self.variable_dtype).name
        return self.add_weight(name=name, shape=shape, initializer=initializer, dtype=dtype, autocast=False)

    @property
    def parameters_dtype(self) -> tf.DType:
        """The dtype of the kernel, to which index points are cast."""
        return tf.as_dtype(self.kernel_provider.kernel.dtype or super().parameters_dtype)

    def make_distribution(self, parameters: Tensor) -> Distribution:
        points = tf.convert_to_tensor(self.inducing_index_points)
        noise = self.unconstrained_observation_noise_variance
        mean = self.mean_fn
        if mean is None:
            constant = tf.convert_to_tensor(self.constant_mean)
            mean = lambda index_points: constant  # noqa: E731
        distribution: Any = self.new(
            tf.cast(parameters, points.dtype),
            self.kernel_provider,
            self.value_shape,
            points,
            mean,
            tf.convert_to_tensor(self.variational_inducing_observations_loc),
            tf.convert_to_tensor(self.variational_inducing_observations_scale),
            tf.zeros([], points.dtype) if noise is None else tf.nn.softplus(tf.convert_to_tensor(noise)),
            self.jitter,
        )
        loss = distribution.variational_loss
        # Casts data from the dtype of Keras to that of the kernel.
        distribution.variational_loss = lambda y, kl_weight=1.0: loss(tf.cast(y, points.dtype), kl_weight=kl_weight)
        return distribution

    @staticmethod
    def new(
        x: Tensor,
        kernel_provider: Any,
        event_shape: Shape,
        inducing_index_points: Tensor,
        mean_fn: Callable[[Tensor], Tensor],
        variational_inducing_observations_loc: Tensor,
        variational_inducing_observations_scale: Tensor,
        observation_noise_variance: Tensor | float,
        jitter: float = 1e-6,
        name: str | None = None,
    ) -> Distribution:
        """Creates the distribution at index points `x` `[N, *features]` from the values of the weights."""
        return tfp.layers.VariationalGaussianProcess.new(
            x,
            kernel_provider,
            event_shape,
            inducing_index_points,
            mean_fn,
            variational_inducing_observations_loc,
            variational_inducing_observations_scale,
            observation_noise_variance,
            jitter,
            name,
        )

    def get_config(self) -> dict[str, Any]:
        def serialized(initializer: Any) -> Any:
            return None if initializer is None else keras.initializers.serialize(initializer)

        return {
            **super().get_config(),
            "num_inducing_points": self.num_inducing_points,
            "kernel_provider": keras.saving.serialize_keras_object(self.kernel_provider),
            "event_shape": self.value_shape,
            "inducing_index_points_initializer": serialized(self.inducing_index_points_initializer),
            "unconstrained_observation_noise_variance_initializer": serialized(
                self.unconstrained_observation_noise_variance_initializer
            ),
            "variational_inducing_observations_scale_initializer": serialized(
                self.variational_inducing_observations_scale_initializer
            ),
            "mean_fn": None if self.mean_fn is None else serialize_function(self.mean_fn, "mean_fn"),
            "jitter": self.jitter,
        }

"""Base class of all distribution layers."""

import contextlib
import math
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._bijector_cache import released_graph
from tfvae._seeds import layer_seed_generator, stateless_seed
from tfvae._serialization import deserialize_function, load_seed_state, save_seed_state, serialize_function
from tfvae.layers._captured_variables import captured_variables, specs_config, specs_from_config
from tfvae.layers._coercion import DistributionTensor
from tfvae.layers._conversion import Conversion
from tfvae.layers._masks import joint_mask
from tfvae.layers._symbolic import symbolic_value
from tfvae.layers.kl_divergence_regularizer import KLDivergenceRegularizer
from tfvae.typing import ConvertToTensorFn, Distribution, Tensor

tfd = tfp.distributions


class DistributionLayer(keras.layers.Layer):
    """Base class of layers that turn a tensor of parameters into a TFP distribution.

    A call returns the distribution (`isinstance(y, tfd.Distribution)`). It also converts to a tensor, once and with the
    same value for every consumer, so ordinary Keras layers, losses and metrics accept it.

    Args:
        convert_to_tensor_fn: Conversion to a tensor: a function of the distribution, or the name of one of its methods
            or properties ("sample", "mean", "logits" ...). A function with an argument `seed` receives the layer's
            stateless seed.
        validate_args: Whether to check at run time that parameters are finite and valid. XLA ignores these checks.
        seed: Integer seed of the layer's random numbers. None draws a random seed.
        activity_regularizer: Function of the distribution whose result is added to the loss. The result of a
            `KLDivergenceRegularizer` is added unchanged. Other results are divided by the batch size, as in Keras.
        **kwargs: Arguments `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        inputs: Parameters `[..., params_size]`, cast to float32, or to float64 in a layer with `dtype="float64"`. Half
            precision is never used, whatever the dtype policy.

    Returns:
        A distribution of batch shape `[...]`.
    """

    # The range of x for which log_prob(x) is intended, or None for the real line.
    support: ClassVar[tuple[float, float] | None] = None
    # Whether XLA can draw samples. If not, `jit_compile="auto"` does not compile a model with this layer.
    samples_under_xla: ClassVar[bool] = True
    # Whether the layer has weights whose shapes depend on the input shape.
    needs_input_shape: ClassVar[bool] = False

    def __init__(
        self,
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        seed: int | None = None,
        activity_regularizer: Any = None,
        **kwargs: Any,
    ):
        # Parameters of a distribution stay float32 under mixed precision, so Keras must not cast them down.
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        self.supports_masking = True
        self.convert_to_tensor_fn = Conversion(convert_to_tensor_fn)
        # `jit_compile="auto"` avoids XLA if it cannot sample or would ignore checks.
        self.supports_jit = (self.samples_under_xla or not self.convert_to_tensor_fn.takes_seed) and not validate_args
        self.distribution_regularizer = self.regularizer_prior = None
        self.activity_regularizer = deserialize_function(activity_regularizer)
        self.validate_args = validate_args
        # Variables that the user's functions read, in the order in which they are saved.
        self.captured_variables: list[keras.Variable] = []
        self._captured_from: Any = None
        self._has_captured = False
        self.seed = seed
        self.seed_generator = layer_seed_generator(seed)

    @property
    def activity_regularizer(self) -> None:
        """None, because Keras would divide the mean KL by the batch size again; see `distribution_regularizer`."""
        return

    @activity_regularizer.setter
    def activity_regularizer(self, regularizer: Any) -> None:
        self.distribution_regularizer = keras.regularizers.get(regularizer)
        # Keras tracks the weights of a layer's attributes, but not those of its regularisers.
        self.regularizer_prior = getattr(self.distribution_regularizer, "prior_layer", None)
        if getattr(self, "built", False):
            self._build_regularizer()

    @property
    def event_shape(self) -> tuple[int, ...] | None:
        """The event shape of the distributions, or None if it depends on the inputs."""
        return None

    @property
    def parameters_size(self) -> int | None:
        """The length of the last axis of the input, or None if it is not known in advance."""
        return None

    @staticmethod
    def _known_size(size: Any) -> int | None:
        return size if isinstance(size, int) else None

    @property
    def parameters_dtype(self) -> tf.DType:
        """The dtype of the parameters: float64 for a layer of that dtype, else float32."""
        return tf.float64 if self.variable_dtype == "float64" else tf.float32

    def make_distribution(self, parameters: Any) -> Distribution:
        """Creates the plain TFP distribution of batch shape `[...]` from parameters `[..., params_size]`."""
        raise NotImplementedError(f"{type(self).__name__} must define make_distribution.")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.built:
            self._capture_variables(args, kwargs)
            inputs = args[0] if args else kwargs.get("inputs")
            if not self.needs_input_shape and isinstance(inputs, tf.Tensor) and inputs.shape.rank is None:
                self.build(None)  # Keras cannot infer the shape of this input
        return super().__call__(*args, **kwargs)

    @property
    def _calls_user_function(self) -> bool:
        """Whether a call runs functions that the user provided, which may read variables."""
        return self.convert_to_tensor_fn.fn is not None

    def _capture_variables(self, args: Any, kwargs: Any) -> None:
        """Tracks the variables that the user's functions read, before Keras locks the list of weights."""
        if self._has_captured or not self._calls_user_function:
            return
        kwargs = {name: value for name, value in kwargs.items() if name not in ("mask", "training")}
        arguments = keras.tree.map_structure(self._as_input, (args, kwargs))
        is_symbolic = any(keras.backend.is_keras_tensor(value) for value in keras.tree.flatten(arguments))
        function = self._trace if is_symbolic else self._make_and_convert
        owner = f"The function of {type(self).__name__} '{self.name}'"
        captured = captured_variables(lambda: function(*arguments), owner)
        own = {id(variable) for variable in self.variables}
        captured = [variable for variable in captured if id(variable) not in own]
        if captured:
            self.captured_variables, self._captured_from = captured, specs_config(arguments)
        self._has_captured = True

    def _as_input(self, value: Any) -> Any:
        return tf.convert_to_tensor(value) if isinstance(value, np.ndarray) else value

    def _make_and_convert(self, args: Any, kwargs: Any) -> None:
        distribution = self._make(*args, **kwargs)
        # A failed conversion is an error only for a consumer of the value.
        with contextlib.suppress(NotImplementedError, ValueError):
            distribution.value  # noqa: B018
        for variable in distribution.trainable_variables:  # the distribution reads them only later
            tf.convert_to_tensor(variable)

    def get_build_config(self) -> dict[str, Any] | None:
        config = super().get_build_config()
        return {**(config or {}), "captured_from": self._captured_from} if self.captured_variables else config

    def build_from_config(self, config: dict[str, Any]) -> None:
        config = dict(config)
        captured_from = config.pop("captured_from", None)
        if captured_from is not None:
            self._capture_variables(*specs_from_config(captured_from))
        self._has_captured = True
        super().build_from_config(config)

    def build(self, input_shape: Any) -> None:
        if input_shape is not None:
            self._check_width(input_shape)
        self._build_regularizer()
        self.built = True

    def _build_regularizer(self) -> None:
        if isinstance(self.distribution_regularizer, KLDivergenceRegularizer):
            self.distribution_regularizer.build()
            if self.distribution_regularizer.captured_variables:
                self.regularizer_variables = self.distribution_regularizer.captured_variables

    def _check_width(self, input_shape: Any) -> None:
        expected = self.parameters_size
        if expected is not None and (not len(input_shape) or input_shape[-1] not in (None, expected)):
            axes = tuple(input_shape)
            is_flat = None in axes[1:] or math.prod(axes[1:]) != expected
            raise ValueError(
                f"{type(self).__name__} '{self.name}' with event shape {self.event_shape} needs {expected} parameters "
                "on the last axis of its input. "
                + (
                    f"Set the number of units of the layer before it to {type(self).__name__}.params_size(...) = "
                    f"{expected}. "
                    if is_flat
                    else "Add keras.layers.Flatten() before it. "
                )
                + f"Received: input_shape={axes}"
            )

    def call(self, inputs: Tensor, mask: Any = None) -> DistributionTensor:
        return self._regularize(self._make(inputs), mask)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Tensor | None:
        """Returns one mask for the distribution, combined from the masks of its inputs."""
        return joint_mask(previous_mask)

    def _regularize(self, distribution: DistributionTensor, mask: Any) -> DistributionTensor:
        regularizer = self.distribution_regularizer
        if isinstance(regularizer, KLDivergenceRegularizer):
            self.add_loss(regularizer(distribution, joint_mask(mask)))
        elif regularizer is not None:
            loss = regularizer(distribution)
            self.add_loss(tf.math.divide_no_nan(loss, tf.cast(tf.shape(distribution)[0], loss.dtype)))
        return distribution

    def _make(self, inputs: Any) -> DistributionTensor:
        parameters = tf.cast(tf.convert_to_tensor(inputs), self.parameters_dtype)
        if self.validate_args:
            parameters = self._check_finite(parameters)
        if (
            parameters.shape.rank is not None and 0 not in parameters.shape
        ):  # Keras' Flatten returns an arbitrary width for an empty batch
            self._check_width(parameters.shape)

        def rebuild(batch_shape: Tensor) -> Distribution:
            return self.make_distribution(tf.reshape(parameters, tf.concat([batch_shape, parameters.shape[-1:]], 0)))

        return DistributionTensor(self.make_distribution(parameters), self._convert, rebuild)

    def _check_finite(self, parameters: Tensor) -> Tensor:
        finite = tf.reduce_all(tf.math.is_finite(parameters))
        message = (
            f"{type(self).__name__} '{self.name}' received parameters that are NaN or infinite. Check that the data "
            "are finite, and reduce the learning rate if training diverges."
        )
        if not tf.executing_eagerly():
            with tf.control_dependencies([tf.debugging.Assert(finite, [message])]):
                return tf.identity(parameters)
        if not finite:
            raise ValueError(message)
        return parameters

    def _convert(self, distribution: Distribution) -> Tensor:
        convert = self.convert_to_tensor_fn
        return convert(distribution, stateless_seed(self.seed_generator) if convert.takes_seed else None)

    def compute_output_spec(self, *args: Any, mask: Any = None, **kwargs: Any) -> keras.KerasTensor:
        """Returns the shape and dtype of the tensor value, which represents the distribution in a functional model."""
        return symbolic_value(lambda *args, **kwargs: self._value_spec(self._make(*args, **kwargs)), args, kwargs)

    def _value_spec(self, distribution: DistributionTensor) -> Any:
        """Returns a shape and dtype: those of a sample need no draw, which is most of the work of a symbolic call."""
        batch_shape, event_shape = distribution.batch_shape, distribution.event_shape
        is_known = isinstance(event_shape, tf.TensorShape) and (batch_shape + event_shape).rank is not None
        if self.convert_to_tensor_fn.name == "sample" and is_known:
            return tf.TensorSpec(batch_shape + event_shape, distribution.dtype)
        return distribution.value

    def _trace(self, args: Any, kwargs: Any) -> Any:
        """Returns the tensor value of a symbolic call."""
        specs = keras.tree.map_structure(
            lambda t: tf.TensorSpec(t.shape, t.dtype) if isinstance(t, keras.KerasTensor) else t, (args, kwargs)
        )

        def value(args: Any, kwargs: Any) -> Tensor:
            with released_graph():
                return self._make(*args, **kwargs).value

        return tf.function(value, autograph=False).get_concrete_function(*specs).structured_outputs

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        save_seed_state(self.seed_generator, store)

    def load_own_variables(self, store: Any) -> None:
        super().load_own_variables(load_seed_state(self.seed_generator, store))

    def _regularizer_config(self) -> Any:
        regularizer = self.distribution_regularizer
        return None if regularizer is None else serialize_function(regularizer, "activity_regularizer")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "convert_to_tensor_fn": self.convert_to_tensor_fn.config(),
            "validate_args": self.validate_args,
            "activity_regularizer": self._regularizer_config(),
            "seed": self.seed,
        }

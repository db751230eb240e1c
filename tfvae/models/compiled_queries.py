"""Programs that encode and decode one example, or a batch, with little overhead per call."""

import functools
import logging
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae._bijector_cache import released_graph
from tfvae._flat_function import FlatFunction, as_input
from tfvae._latent_shapes import shapes_of_parts
from tfvae.execution import kept_programs
from tfvae.execution.xla import cannot_compile, supports_xla
from tfvae.models import _validation
from tfvae.models.batch import Batch
from tfvae.models.conditions import as_condition
from tfvae.models.missing import observed_part
from tfvae.typing import Tensor, TensorLike

_log = logging.getLogger("tfvae")


class Moments(NamedTuple):
    """Mean and standard deviation of q(z|x), as NumPy arrays.

    Attributes:
        mean: Mean of z given x `[B, D]`.
        stddev: Standard deviation of z given x `[B, D]`.
    """

    mean: np.ndarray
    stddev: np.ndarray


class _Shapes(NamedTuple):
    """Dtype of a model, and shapes of one x, of the parts of one z and of one condition."""

    dtype: np.dtype[Any]
    event: tuple[int, ...] | None
    latents: list[tuple[int, ...]]
    condition: tuple[int, ...] | None

    def is_plain(self, value: Any, shape: tuple[int, ...] | None) -> bool:
        """Whether a value is an array `[B, *shape]` that needs no conversion and no check."""
        return type(value) is np.ndarray and value.dtype == self.dtype and value.shape[1:] == shape

    def is_plain_condition(self, condition: Any, num_examples: int) -> bool:
        """Whether a condition needs no conversion and no check."""
        if condition is None or self.condition is None:
            return condition is self.condition
        return self.is_plain(condition, self.condition) and len(condition) == num_examples


class CompiledQueries:
    """Encoder and decoder of a model as programs for repeated calls, also with one example: `vae.compiled`.

    `vae.encode(x)` returns a distribution, whose construction takes some hundred operations. These functions return its
    moments as NumPy arrays and run one program instead, which is compiled in the first call: one for a single example,
    with XLA if XLA can compile the model, and one for batches of any size. The programs read the current weights, so
    they stay valid during training. `vae.compile` removes them.

    The results are those of `vae.encode` and `vae.decode` up to rounding. Gradients are not recorded.

    Args:
        model: The model, a `VAE`.
        is_compiled: Truth value of this object. Keras uses it to tell whether `compile` was called.
    """

    def __init__(self, model: Any, *, is_compiled: bool):
        self._reference, self._is_compiled = weakref.ref(model), is_compiled
        self._programs: dict[Any, FlatFunction] = {}

    def __bool__(self) -> bool:
        return self._is_compiled

    @functools.cached_property
    def _shapes(self) -> "_Shapes":
        model = self._model()
        return _Shapes(
            np.dtype(model.variable_dtype),
            model.event_shape,
            shapes_of_parts(model.latent_shape),
            model.condition_shape,
        )

    def encode(self, x: TensorLike, *, condition: TensorLike | None = None) -> Moments:
        """Returns the mean and the standard deviation of q(z|x).

        Args:
            x: Data `[B, *event]`, or a dictionary with the keys "x", "condition" and "observed", as for `vae.encode`.
            condition: Condition of a conditional model, as for `vae.encode`.

        Raises:
            ValueError: If the data or the condition do not fit the model, or if q(z|x) has no mean or no standard
                deviation in closed form.
        """
        model, shapes = self._model(), self._shapes
        if shapes.is_plain(x, shapes.event) and shapes.is_plain_condition(condition, len(x)):
            inputs = as_input(x), None if condition is None else as_input(condition), None
            mean, stddev = self._run(_encode, inputs, [1, 1, 1], (_encode, len(x) == 1))
        else:
            batch = model._checked_batch(x, condition)
            mean, stddev = self._run(_encode, (batch.x, batch.condition, batch.observed), [1, 1, 1])
        return Moments(mean.numpy(), stddev.numpy())

    def decode(self, z: TensorLike, *, condition: TensorLike | None = None) -> np.ndarray:
        """Returns the mean of p(x|z) `[..., *event]`.

        Args:
            z: Latents `[..., D]`, or a nest of latents, as for `vae.decode`.
            condition: Condition of a conditional model, as for `vae.decode`.

        Raises:
            ValueError: If the latents or the condition do not fit the model, or if p(x|z) has no mean in closed form.
        """
        model, shapes = self._model(), self._shapes
        if shapes.is_plain(z, shapes.latents[0]) and shapes.is_plain_condition(condition, len(z)):
            inputs = as_input(z), None if condition is None else as_input(condition)
            (mean,) = self._run(_decode, inputs, [1, 1], (_decode, len(z) == 1))
            return mean.numpy()
        z = _validation.as_latents(z, model.prior, model.variable_dtype)
        parts = tf.nest.flatten(z)
        _validation.check_latents(parts, shapes.latents)
        given = as_condition(condition, shapes.condition, model.variable_dtype)
        num_axes = [part.shape.rank - len(shape) for part, shape in zip(parts, shapes.latents, strict=True)]
        num_axes.append(0 if given is None else given.shape.rank - len(shapes.condition or ()))
        (mean,) = self._run(_decode, (z, given), num_axes)
        return mean.numpy()

    def _model(self) -> Any:
        model = self._reference()
        if model is None:
            raise ReferenceError("The model of these compiled functions was deleted. Keep a reference to the model.")
        if not tf.executing_eagerly():
            raise RuntimeError(
                "`vae.compiled` returns NumPy arrays, so it cannot be part of a graph. Use `vae.encode` and "
                "`vae.decode` inside a tf.function."
            )
        return model

    def _run(
        self, function: Callable[..., Any], inputs: Any, num_batch_axes: Sequence[int], key: Any = None
    ) -> Sequence[Tensor]:
        """Returns the results of a function of the model, `_encode` or `_decode`.

        Args:
            function: The function.
            inputs: Nest of tensors, of which some may be None.
            num_batch_axes: Number of leading axes of any length, for each of them.
            key: Key of the program. None derives it from the types of the inputs.
        """
        parts = tf.nest.flatten(inputs)
        tensors = [part for part in parts if part is not None]
        if key is None:
            key = (function, *map(_type_of, parts, num_batch_axes))
        program = self._programs.get(key)
        if program is None:
            program = self._programs[key] = self._new_program(function, inputs, parts, num_batch_axes)
        return program(*tensors)

    def _new_program(
        self, function: Callable[..., Any], inputs: Any, parts: Sequence[Any], num_batch_axes: Sequence[int]
    ) -> FlatFunction:
        """Traces a function for inputs of these types, with XLA for a single example."""
        reference, model = self._reference, self._model()
        types = list(zip(parts, num_batch_axes, strict=True))
        is_single = all(part is None or (num == 1 and len(part) == 1) for part, num in types)
        specs = tf.nest.pack_sequence_as(inputs, [_spec(part, num, is_single) for part, num in types])
        if not model.built:
            function(model, *inputs)  # creates the variables

        def call(*inputs: Any) -> Sequence[Tensor]:
            with released_graph():
                return function(reference(), *inputs)

        def traced(jit_compile: bool) -> FlatFunction:
            compiled = tf.function(call, autograph=False, jit_compile=jit_compile)
            return FlatFunction(compiled.get_concrete_function(*specs))

        if not (is_single and model.requested_jit_compile and supports_xla(model)):
            return traced(jit_compile=False)
        program = traced(jit_compile=True)
        try:
            program(*(part for part in parts if part is not None))
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            if not cannot_compile(error):
                raise
            _log.info("`vae.compiled` runs without XLA, which cannot compile it: %s", str(error).splitlines()[0])
            return traced(jit_compile=False)
        finally:
            kept_programs.forget_others()
        return program


def _type_of(part: Any, num_batch_axes: int) -> Any:
    """Returns what the program depends on: the type of a tensor, and whether it has the batch axes `[1]`."""
    if part is None:
        return None
    return part.dtype, tuple(part.shape[num_batch_axes:]), num_batch_axes, num_batch_axes == 1 and len(part) == 1


def _spec(part: Any, num_batch_axes: int, is_single: bool) -> tf.TensorSpec | None:
    if part is None:
        return None
    return tf.TensorSpec(
        [1 if is_single else None] * num_batch_axes + part.shape[num_batch_axes:].as_list(), part.dtype
    )


def _encode(model: Any, x: Tensor, condition: Tensor | None, observed: Tensor | None) -> tuple[Tensor, Tensor]:
    x, observed = observed_part(x, observed, model.missing)
    posterior = model.infer(Batch(x, condition, observed=observed))
    return _moment(posterior, "mean", "q(z|x)"), _moment(posterior, "stddev", "q(z|x)")


def _decode(model: Any, z: Any, condition: Tensor | None) -> tuple[Tensor]:
    return (_moment(model.generate(z, condition=condition), "mean", "p(x|z)"),)


def _moment(distribution: Any, name: str, symbol: str) -> Tensor:
    try:
        return tf.convert_to_tensor(getattr(distribution, name)())
    except NotImplementedError:
        raise ValueError(
            f"{symbol} has no {name} in closed form, so `vae.compiled` cannot return it. Use `vae.encode` or "
            f"`vae.decode` inside a tf.function, and return what you need of the distribution. "
            f"Received: {symbol} = {distribution}"
        ) from None

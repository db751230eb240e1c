"""Graph functions of a model, traced once for each model and purpose."""

import weakref
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfvae._bijector_cache import released_graph
from tfvae.models import VAE
from tfvae.models.batch import Batch

_functions: weakref.WeakKeyDictionary[VAE, dict[Any, Any]] = weakref.WeakKeyDictionary()


def compiled(vae: VAE, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a graph function `(x [B, *event], number, seed [2]) -> fn(vae, x, number, seed)`; x may be a `Batch`.

    The batch size and the number (of samples) are not part of the trace, so that a smaller last batch or another number
    does not retrace. `number` may also be a tuple of numbers.
    """
    model = weakref.ref(vae)  # the cache must not keep the model alive

    def call(x: tf.Tensor, number: Any, seed: tf.Tensor) -> Any:
        with released_graph():
            return fn(model(), x, number, seed)

    functions = _functions.setdefault(vae, {})
    if fn not in functions:
        functions[fn] = tf.function(call, autograph=False, reduce_retracing=True)
    function = functions[fn]

    def with_tensors(x: tf.Tensor | Batch, number: int | tuple[int, ...], seed: tf.Tensor) -> Any:
        numbers = tf.nest.map_structure(lambda n: tf.constant(n, tf.int32), number)
        concrete = function.get_concrete_function(
            tf.nest.map_structure(
                lambda part: None if part is None else tf.TensorSpec([None, *part.shape[1:]], part.dtype), x
            ),
            tf.nest.map_structure(lambda n: tf.TensorSpec([], n.dtype), numbers),
            tf.TensorSpec([2], tf.int32),
        )
        return concrete(x, numbers, seed)

    return with_tensors


def compiled_for_shape(vae: VAE, fn: Callable[..., Any], **arguments: Any) -> Callable[..., Any]:
    """Returns a graph function `(x [B, *event], seed [2]) -> fn(vae, x, seed, **arguments)`.

    It is traced once per batch size, for functions that need static shapes. The arguments are Python values and part of
    the trace.
    """
    model = weakref.ref(vae)

    def call(x: tf.Tensor, seed: tf.Tensor) -> Any:
        with released_graph():
            return fn(model(), x, seed, **arguments)

    functions, key = _functions.setdefault(vae, {}), (fn, *sorted(arguments.items()))
    if key not in functions:
        functions[key] = tf.function(call, autograph=False)
    return functions[key]

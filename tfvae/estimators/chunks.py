"""Memory that does not grow with the number of draws: decoding a chunk at a time, and again for the gradient."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfvae.typing import Distribution, Tensor


def chunked_log_likelihood(
    x: Tensor, z: Any, generate: Callable[[Any], Distribution], *, sample_shape: Sequence[int], chunk_size: int
) -> Tensor:
    """Log p(x|z) `[*sample_shape, B]`, with at most `chunk_size` draws of each example decoded at a time.

    What the decoder computes on the way is not kept: the gradient computes it again, one chunk at a time. It reaches z
    and the trainable variables that `generate` uses, and nothing else that `generate` may hold. A decoder that draws
    numbers of its own (dropout) draws others the second time.

    Args:
        x: data `[B, *event]`.
        z: latents `[*sample_shape, B, *latent]`, a tensor or a nest.
        generate: takes z `[C, B, *latent]` and returns p(x|z), of batch shape `[C, B]`.
        sample_shape: the leading axes, plain ints.
        chunk_size: the most draws of an example that are decoded at a time.
    """
    num_draws = 1
    for size in sample_shape:
        num_draws *= size
    num_chunks = -(-num_draws // chunk_size)
    size = -(-num_draws // num_chunks)  # chunks as equal as they can be, the last filled up
    num_axes = len(sample_shape)

    def to_chunks(leaf: Tensor) -> Tensor:
        rest = tf.shape(leaf)[num_axes:]
        flat = tf.reshape(leaf, tf.concat([[num_draws], rest], 0))
        flat = tf.concat([flat, flat[: num_chunks * size - num_draws]], 0)
        chunks = tf.reshape(flat, tf.concat([[num_chunks, size], rest], 0))
        return tf.ensure_shape(chunks, [num_chunks, size, *leaf.shape[num_axes:]])

    leaves = [to_chunks(leaf) for leaf in tf.nest.flatten(z)]

    def decode(parts: Sequence[Tensor]) -> Tensor:
        return generate(tf.nest.pack_sequence_as(z, parts)).log_prob(x)  # [C, B]

    log_likelihood = _one_at_a_time(decode, num_chunks)(*leaves)
    flat = tf.reshape(log_likelihood, [num_chunks * size, tf.shape(x)[0]])[:num_draws]
    return tf.reshape(flat, [*sample_shape, tf.shape(x)[0]])


def _one_at_a_time(fn: Callable[[Sequence[Tensor]], Tensor], num_chunks: int) -> Callable[..., Tensor]:
    """Fn of each chunk, stacked; both it and its gradient are loops that hold one chunk at a time."""

    @tf.custom_gradient
    def mapped(*leaves: Tensor) -> tuple[Tensor, Callable[..., Any]]:
        first = fn([leaf[0] for leaf in leaves])
        results = tf.TensorArray(first.dtype, num_chunks, element_shape=first.shape).write(0, first)
        _, results = tf.while_loop(
            lambda i, _: i < num_chunks,
            lambda i, array: (i + 1, array.write(i, fn([leaf[i] for leaf in leaves]))),
            (1, results),
            parallel_iterations=1,
            maximum_iterations=num_chunks - 1,
        )

        def gradient(upstream: Tensor, variables: Sequence[tf.Variable] = ()) -> Any:
            arrays = [tf.TensorArray(leaf.dtype, num_chunks, element_shape=leaf.shape[1:]) for leaf in leaves]

            def add(i: Tensor, arrays: list[Any], sums: list[Tensor]) -> tuple[Any, ...]:
                parts = [leaf[i] for leaf in leaves]
                sources = [*[part for part in parts if part.dtype.is_floating], *variables]
                with tf.GradientTape(watch_accessed_variables=False) as tape:
                    tape.watch(sources)
                    value = fn(parts)
                slopes = iter(tape.gradient(value, sources, upstream[i], unconnected_gradients="zero"))
                of_parts = [next(slopes) if part.dtype.is_floating else tf.zeros_like(part) for part in parts]
                arrays = [array.write(i, slope) for array, slope in zip(arrays, of_parts, strict=True)]
                return i + 1, arrays, [total + slope for total, slope in zip(sums, slopes, strict=True)]

            _, arrays, sums = tf.while_loop(
                lambda i, *_: i < num_chunks,
                add,
                (0, arrays, [tf.zeros_like(variable) for variable in variables]),
                parallel_iterations=1,
                maximum_iterations=num_chunks,
            )
            slopes = [array.stack() for array in arrays]
            return (slopes, sums) if variables else slopes

        return results.stack(), gradient

    return mapped

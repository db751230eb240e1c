"""Decoding in chunks, so that memory does not grow with the number of draws."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfvae.typing import Distribution, Tensor


def chunked_log_likelihood(
    x: Tensor, z: Any, generate: Callable[[Any], Distribution], *, sample_shape: Sequence[int], chunk_size: int
) -> Tensor:
    """Computes log p(x|z) `[*sample_shape, B]` with at most `chunk_size` draws of each example decoded at a time.

    Intermediate results of the decoder are not kept; the gradient recomputes them, one chunk at a time. It reaches z
    and the trainable variables that `generate` uses, but no other tensor that `generate` closes over. A decoder with
    random layers, such as dropout, draws different numbers when it is recomputed.

    Args:
        x: Data `[B, *event]`.
        z: Latents `[*sample_shape, B, *latent]`, a tensor or a nest.
        generate: Takes z `[C, B, *latent]` and returns p(x|z), of batch shape `[C, B]`.
        sample_shape: The leading axes, plain ints.
        chunk_size: The maximum number of draws per example that are decoded at a time.
    """
    return _in_chunks(x, z, generate, sample_shape=sample_shape, chunk_size=chunk_size, with_slopes=False)[0]


def chunked_log_likelihood_and_slopes(
    x: Tensor, z: Any, generate: Callable[[Any], Distribution], *, sample_shape: Sequence[int], chunk_size: int
) -> tuple[Tensor, list[Tensor]]:
    """Also returns the derivatives with respect to the parts of z, which are treated as constants.

    Each chunk is decoded and differentiated before the next one, so that no intermediate results are kept.
    """
    log_likelihood, *slopes = _in_chunks(
        x, z, generate, sample_shape=sample_shape, chunk_size=chunk_size, with_slopes=True
    )
    return log_likelihood, [tf.stop_gradient(slope) for slope in slopes]


def _in_chunks(
    x: Tensor,
    z: Any,
    generate: Callable[[Any], Distribution],
    *,
    sample_shape: Sequence[int],
    chunk_size: int,
    with_slopes: bool,
) -> list[Tensor]:
    """Computes log p(x|z) and, with slopes, its derivatives by the parts of z, `[*sample_shape, B, ...]`."""
    num_draws = math.prod(sample_shape)
    num_chunks = -(-num_draws // chunk_size)
    size = -(-num_draws // num_chunks)  # chunks of nearly equal size, the last one padded
    num_axes = len(sample_shape)

    def to_chunks(leaf: Tensor) -> Tensor:
        rest = tf.shape(leaf)[num_axes:]
        flat = tf.reshape(leaf, tf.concat([[num_draws], rest], 0))
        flat = tf.concat([flat, flat[: num_chunks * size - num_draws]], 0)
        chunks = tf.reshape(flat, tf.concat([[num_chunks, size], rest], 0))
        return tf.ensure_shape(chunks, [num_chunks, size, *leaf.shape[num_axes:]])

    def from_chunks(chunks: Tensor) -> Tensor:
        rest = tf.shape(chunks)[2:]
        flat = tf.reshape(chunks, tf.concat([[num_chunks * size], rest], 0))[:num_draws]
        whole = tf.reshape(flat, tf.concat([sample_shape, rest], 0))
        return tf.ensure_shape(whole, [*sample_shape, *chunks.shape[2:]])

    leaves = [to_chunks(leaf) for leaf in tf.nest.flatten(z)]

    def decode(parts: Sequence[Tensor]) -> Tensor:
        return generate(tf.nest.pack_sequence_as(z, parts)).log_prob(x)  # [C, B]

    return [from_chunks(chunks) for chunks in tf.nest.flatten(_one_at_a_time(decode, num_chunks, with_slopes)(*leaves))]


def _slopes(fn: Callable[[Sequence[Tensor]], Tensor], parts: Sequence[Tensor], variables: Any, upstream: Any) -> Any:
    """Evaluates `fn`, and its derivatives by the parts (zero for parts that are not floats) and by the variables."""
    sources = [*[part for part in parts if part.dtype.is_floating], *variables]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(sources)
        value = fn(parts)
    found = iter(tape.gradient(value, sources, upstream, unconnected_gradients="zero"))
    of_parts = [next(found) if part.dtype.is_floating else tf.zeros_like(part) for part in parts]
    return value, of_parts, list(found)


def _one_at_a_time(
    fn: Callable[[Sequence[Tensor]], Tensor], num_chunks: int, with_slopes: bool
) -> Callable[..., list[Tensor]]:
    """Evaluates `fn` on each chunk and, with slopes, its derivatives by the parts; stacks the results.

    This and the gradient are loops with one chunk in memory at a time. The slopes have no gradient.
    """

    def of_chunk(parts: Sequence[Tensor]) -> list[Tensor]:
        if not with_slopes:
            return [fn(parts)]
        value, slopes, _ = _slopes(fn, parts, [], None)
        return [value, *slopes]

    @tf.custom_gradient
    def mapped(*leaves: Tensor) -> tuple[list[Tensor], Callable[..., Any]]:
        first = of_chunk([leaf[0] for leaf in leaves])
        results = [
            tf.TensorArray(value.dtype, num_chunks, element_shape=value.shape).write(0, value) for value in first
        ]

        def add_chunk(i: Tensor, arrays: list[Any]) -> tuple[Tensor, list[Any]]:
            values = of_chunk([leaf[i] for leaf in leaves])
            return i + 1, [array.write(i, value) for array, value in zip(arrays, values, strict=True)]

        _, results = tf.while_loop(
            lambda i, _: i < num_chunks,
            add_chunk,
            (1, results),
            parallel_iterations=1,
            maximum_iterations=num_chunks - 1,
        )

        def gradient(upstream: Tensor, *of_slopes: Any, variables: Sequence[tf.Variable] = ()) -> Any:
            arrays = [tf.TensorArray(leaf.dtype, num_chunks, element_shape=leaf.shape[1:]) for leaf in leaves]

            def add(i: Tensor, arrays: list[Any], sums: list[Tensor]) -> tuple[Any, ...]:
                _, of_parts, of_variables = _slopes(fn, [leaf[i] for leaf in leaves], variables, upstream[i])
                arrays = [array.write(i, slope) for array, slope in zip(arrays, of_parts, strict=True)]
                return i + 1, arrays, [total + slope for total, slope in zip(sums, of_variables, strict=True)]

            _, arrays, sums = tf.while_loop(
                lambda i, *_: i < num_chunks,
                add,
                (0, arrays, [tf.zeros_like(variable) for variable in variables]),
                parallel_iterations=1,
                maximum_iterations=num_chunks,
            )
            slopes = [array.stack() for array in arrays]
            return (slopes, sums) if variables else slopes

        return [array.stack() for array in results], gradient

    return mapped

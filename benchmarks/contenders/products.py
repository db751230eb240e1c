"""No VAE: the matrix products of a training step by themselves, the limit of what any program can reach."""

import numpy as np
import tensorflow as tf


def xla(x, work):
    """In a loop under XLA."""
    return _loop(x, work, jit_compile=True)


def graph(x, work):
    """In a loop of TensorFlow's own runtime."""
    return _loop(x, work, jit_compile=False)


def _loop(x, work, jit_compile):
    if not work.hidden:
        return None
    rows = [work.batch_size, work.batch_size * work.k]
    shapes = [(n, *shape) for n, network in zip(rows, work.dense_shapes, strict=True) for shape in network]
    return loop_of(shapes, len(x) // work.batch_size, jit_compile=jit_compile)


def loop_of(shapes, steps, *, num_inputs=1, jit_compile):
    """Forward, and the weights' and the inputs' gradients, of dense layers (rows, inputs, outputs) in each step.

    The first `num_inputs` layers are those of the images, whose gradient is not computed.
    """
    rng = np.random.default_rng(0)

    def tensor(*shape):
        return tf.constant(rng.normal(size=shape), tf.float32)

    operands = [(tensor(n, a), tensor(a, b), tensor(n, b)) for n, a, b in shapes]

    @tf.function(jit_compile=jit_compile, autograph=False)
    def epoch(operands):
        def body(i, total):
            small = tf.cast(i, tf.float32) * 1e-9  # so that nothing can be taken out of the loop
            for number, (inputs, weight, gradient) in enumerate(operands):
                inputs, gradient = inputs + small, gradient + small
                total += (inputs @ weight)[0, 0] + tf.matmul(inputs, gradient, transpose_a=True)[0, 0]
                if number >= num_inputs:
                    total += tf.matmul(gradient, weight, transpose_b=True)[0, 0]
            return i + 1, total

        return tf.while_loop(lambda i, _: i < steps, body, (0, 0.0), parallel_iterations=1)[1]

    def run(epochs):
        for _ in range(epochs):
            float(epoch(operands))
        return float("nan")

    return run

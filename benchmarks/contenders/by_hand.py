"""TensorFlow alone: one program an epoch that loops over steps, with the images on the device."""

import keras
import numpy as np
import tensorflow as tf


class Networks:
    """The weights, and the bound by its formulas."""

    def __init__(self, work):
        self.work = work
        init = keras.initializers.GlorotUniform(0)

        def made(*shape):
            return keras.Variable(init(shape)), keras.Variable(tf.zeros(shape[-1]))

        if work.hidden:
            self.layers = [[made(*shape) for shape in network] for network in work.dense_shapes]
        else:
            encoder = [made(4, 4, 1, 32), made(4, 4, 32, 64), made(3136, 2 * work.latent_size)]
            # A transposed convolution's kernel is [h, w, out, in].
            up = [(keras.Variable(init((4, 4, 32, size))), keras.Variable(tf.zeros(32))) for size in (64, 32)]
            self.layers = [encoder, [made(work.latent_size, 3136), *up, made(3, 3, 32, 1)]]
        self.variables = [variable for network in self.layers for layer in network for variable in layer]

    def encoder(self, x):
        """Parameters `[B, 2D]`."""
        layers = [(weight.value, bias.value) for weight, bias in self.layers[0]]
        if self.work.hidden:
            return _dense(layers, x)
        for weight, bias in layers[:2]:
            x = tf.nn.relu(tf.nn.conv2d(x, weight, 2, "SAME") + bias)
        return tf.reshape(x, [-1, 3136]) @ layers[2][0] + layers[2][1]

    def decoder(self, z):
        """Logits `[K, B, 784]`."""
        layers = [(weight.value, bias.value) for weight, bias in self.layers[1]]
        if self.work.hidden:
            return _dense(layers, z)
        x = tf.reshape(z, [-1, z.shape[-1]])
        size = x.shape[0]
        x = tf.reshape(tf.nn.relu(x @ layers[0][0] + layers[0][1]), [-1, 7, 7, 64])
        for (weight, bias), width in zip(layers[1:3], (14, 28), strict=True):
            x = tf.nn.relu(tf.nn.conv2d_transpose(x, weight, [size, width, width, 32], 2, "SAME") + bias)
        x = tf.nn.conv2d(x, layers[3][0], 1, "SAME") + layers[3][1]
        return tf.reshape(x, [*z.shape[:-1], 784])

    def bound(self, x, seed):
        """The mean bound of a batch."""
        loc, raw = tf.split(self.encoder(x), 2, axis=-1)
        scale = tf.nn.softplus(raw) + 1e-5
        noise = tf.random.stateless_normal([self.work.k, *loc.shape], seed, alg="philox")
        z = loc + scale * noise
        logits = self.decoder(z)
        x = tf.broadcast_to(tf.reshape(x, [-1, 784]), logits.shape)
        log_likelihood = -tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(x, logits), -1)  # [K, B]
        if self.work.k == 1:
            kl = 0.5 * tf.reduce_sum(scale**2 + loc**2 - 1.0, -1) - tf.reduce_sum(tf.math.log(scale), -1)
            return tf.reduce_mean(log_likelihood - kl)
        log_w = log_likelihood + 0.5 * tf.reduce_sum(noise**2 - z**2, -1) + tf.reduce_sum(tf.math.log(scale), -1)
        return tf.reduce_mean(tf.reduce_logsumexp(log_w, 0)) - float(np.log(self.work.k))


def xla_loop(x, work):
    """The loop under XLA; not for convolutions, which run unoptimised in a loop of it on a CPU."""
    return _loop(x, work, jit_compile=True) if work.hidden else None


def graph_loop(x, work):
    """The loop in TensorFlow's own runtime."""
    return _loop(x, work, jit_compile=False)


def _loop(x, work, jit_compile):
    networks, size = Networks(work), work.batch_size
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(networks.variables)
    images, steps = tf.constant(x), len(x) // size

    @tf.function(jit_compile=jit_compile, autograph=False)
    def epoch(order, seed):
        def body(i, total):
            batch = tf.gather(images, order[i])
            with tf.GradientTape() as tape:
                loss = -networks.bound(batch, tf.random.experimental.stateless_fold_in(seed, i))
            variables = networks.variables
            optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
            return i + 1, total - loss

        return tf.while_loop(lambda i, _: i < steps, body, (0, 0.0), parallel_iterations=1)[1] / steps

    rng = np.random.default_rng(0)

    def run(epochs):
        for _ in range(epochs):
            order = rng.permutation(len(x))[: steps * size].reshape(steps, size).astype("int32")
            bound = float(epoch(tf.constant(order), tf.constant(rng.integers(2**31, size=2), tf.int32)))
        return bound

    return run


def _dense(layers, x):
    for i, (weight, bias) in enumerate(layers):
        x = tf.tensordot(x, weight, 1) + bias
        x = tf.tanh(x) if i + 1 < len(layers) else x
    return x

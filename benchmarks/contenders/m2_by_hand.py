"""M2 by TensorFlow alone: explicit formulas, one program an epoch that loops over steps, images on the device."""

import keras
import numpy as np
import tensorflow as tf


def fit(x, labels, work):
    """The loop under XLA."""
    hidden, size, classes, batch_size = work.hidden, work.latent_size, work.num_classes, work.batch_size
    init = keras.initializers.GlorotUniform(0)

    def made(*shape):
        return [keras.Variable(init(shape)), keras.Variable(tf.zeros(shape[-1]))]

    shapes = ((784, hidden), (hidden, classes), (784 + classes, hidden), (hidden, 2 * size))
    layers = [made(*shape) for shape in (*shapes, (size + classes, hidden), (hidden, 784))]
    variables = [variable for layer in layers for variable in layer]
    optimizer = keras.optimizers.Adam(work.learning_rate, beta_1=0.9)
    optimizer.build(variables)
    images, labels = tf.constant(x), tf.constant(labels, tf.int32)
    steps, eye = len(x) // batch_size, tf.eye(classes)

    def bounds(x, label, seed):
        (w1, b1), (w2, b2), (w3, b3), (w4, b4), (w5, b5), (w6, b6) = [[v.value for v in layer] for layer in layers]
        log_q = tf.nn.log_softmax(tf.nn.softplus(x @ w1 + b1) @ w2 + b2)  # [B, K]
        of_x, of_y = x @ w3[:784] + b3, w3[784:]
        parameters = tf.reshape(tf.nn.softplus(of_x + of_y[:, tf.newaxis]), [-1, hidden]) @ w4 + b4
        loc, raw = tf.split(parameters, 2, axis=-1)
        scale = tf.nn.softplus(raw) + 1e-5
        z = loc + scale * tf.random.stateless_normal(tf.shape(loc), seed, alg="philox")
        y = tf.repeat(eye, batch_size, axis=0)
        logits = tf.nn.softplus(tf.concat([y, z], -1) @ w5 + b5) @ w6 + b6
        target = tf.reshape(tf.broadcast_to(x, [classes, batch_size, 784]), [-1, 784])
        log_likelihood = -tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(target, logits), -1)
        kl = 0.5 * tf.reduce_sum(scale**2 + loc**2 - 1.0, -1) - tf.reduce_sum(tf.math.log(scale), -1)
        of_class = tf.transpose(tf.reshape(log_likelihood - kl, [classes, batch_size])) - float(np.log(classes))
        known, one_hot, q = label >= 0, tf.one_hot(label, classes), tf.exp(log_q)
        unlabelled = tf.reduce_sum(q * (of_class - log_q), -1)
        bound = tf.where(known, tf.reduce_sum(one_hot * of_class, -1), unlabelled)
        return bound, tf.where(known, tf.reduce_sum(one_hot * log_q, -1), 0.0)

    @tf.function(jit_compile=True)
    def epoch(seed):
        order = tf.argsort(tf.random.stateless_uniform([len(x)], seed))

        def step(i, total):
            rows = tf.slice(order, [i * batch_size], [batch_size])
            with tf.GradientTape() as tape:
                tape.watch([variable.value for variable in variables])
                bound, log_q = bounds(
                    tf.gather(images, rows), tf.gather(labels, rows), tf.stack([seed[0], seed[1] + i])
                )
                loss = -tf.reduce_mean(bound + work.classification_weight * log_q)
            gradients = tape.gradient(loss, [variable.value for variable in variables])
            optimizer.apply(gradients, variables)
            return i + 1, total + tf.reduce_mean(bound)

        return tf.while_loop(lambda i, _: i < steps, step, (0, 0.0))[1] / steps

    seeds = np.random.default_rng(0)

    def run(epochs):
        values = [epoch(tf.constant(seeds.integers(2**30, size=2), tf.int32)) for _ in range(epochs)]
        return float(values[-1])

    return run

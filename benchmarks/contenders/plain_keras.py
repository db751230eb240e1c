"""A plain Keras 3 VAE as Keras' own tutorials write it, and its `fit` as it comes."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


class PlainVAE(keras.Model):
    """Two networks, a sampling step and a `train_step`."""

    def __init__(self, work):
        super().__init__()
        self.k = work.k
        if work.hidden:
            self.body = keras.Sequential([layers.Dense(size, activation="tanh") for size in work.hidden])
            self.decoder = keras.Sequential([layers.Dense(size, activation="tanh") for size in work.hidden[::-1]])
            self.decoder.add(layers.Dense(784))
        else:
            convolution = {"kernel_size": 4, "strides": 2, "padding": "same", "activation": "relu"}
            self.body = keras.Sequential(
                [layers.Conv2D(32, **convolution), layers.Conv2D(64, **convolution), layers.Flatten()]
            )
            self.decoder = keras.Sequential(
                [
                    layers.Dense(3136, activation="relu"),
                    layers.Reshape((7, 7, 64)),
                    layers.Conv2DTranspose(32, **convolution),
                    layers.Conv2DTranspose(32, **convolution),
                    layers.Conv2D(1, 3, padding="same"),
                    layers.Flatten(),
                ]
            )
        self.loc, self.log_var = (layers.Dense(work.latent_size) for _ in range(2))
        self.seed_generator = keras.random.SeedGenerator(0)
        self.loss_tracker = keras.metrics.Mean(name="loss")

    def train_step(self, data):
        with tf.GradientTape() as tape:
            hidden = self.body(data)
            loc, log_var = self.loc(hidden), self.log_var(hidden)
            noise = keras.random.normal((self.k, *ops.shape(loc)), seed=self.seed_generator)
            z = loc + ops.exp(0.5 * log_var) * noise
            logits = ops.reshape(self.decoder(ops.reshape(z, (-1, z.shape[-1]))), (self.k, ops.shape(data)[0], 784))
            x = ops.reshape(data, (-1, 784))
            log_likelihood = -ops.sum(ops.relu(logits) - logits * x + ops.softplus(-ops.abs(logits)), -1)
            if self.k == 1:
                kl = 0.5 * ops.sum(ops.exp(log_var) + loc**2 - 1.0 - log_var, axis=-1)
                loss = -ops.mean(log_likelihood - kl)
            else:
                log_w = log_likelihood + 0.5 * ops.sum(noise**2 - z**2 + log_var, -1)
                loss = -ops.mean(ops.logsumexp(log_w, 0)) + float(np.log(self.k))
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}


def fit(x, work):
    """Arrays into `fit`."""
    model = PlainVAE(work)
    model.compile(keras.optimizers.Adam(1e-3))
    return lambda epochs: -model.fit(x, batch_size=work.batch_size, epochs=epochs, verbose=0).history["loss"][-1]

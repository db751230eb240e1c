"""TFP's layers, in tf_keras."""

import tensorflow_probability as tfp
import tf_keras
from tf_keras import layers

tfd, tfpl = tfp.distributions, tfp.layers


def fit(x, work):
    """Arrays into tf_keras' `fit`; has no importance-weighted bound."""
    if work.k > 1:
        return None
    size = work.latent_size
    prior = tfd.Independent(tfd.Normal(tf_keras.backend.zeros(size), 1.0), 1)
    if work.hidden:
        body = [layers.Dense(n, activation="tanh") for n in work.hidden]
        head = [*[layers.Dense(n, activation="tanh") for n in work.hidden[::-1]], layers.Dense(784)]
    else:
        convolution = {"kernel_size": 4, "strides": 2, "padding": "same", "activation": "relu"}
        body = [layers.Conv2D(32, **convolution), layers.Conv2D(64, **convolution), layers.Flatten()]
        head = [
            layers.Dense(3136, activation="relu"),
            layers.Reshape((7, 7, 64)),
            layers.Conv2DTranspose(32, **convolution),
            layers.Conv2DTranspose(32, **convolution),
            layers.Conv2D(1, 3, padding="same"),
            layers.Flatten(),
        ]
    encoder = tf_keras.Sequential(
        [
            layers.InputLayer(work.event_shape),
            *body,
            layers.Dense(tfpl.IndependentNormal.params_size(size)),
            # It counts the KL twice, so half of it is one.
            tfpl.IndependentNormal(size, activity_regularizer=tfpl.KLDivergenceRegularizer(prior, weight=0.5)),
        ]
    )
    decoder = tf_keras.Sequential(
        [layers.InputLayer((size,)), *head, tfpl.IndependentBernoulli(work.event_shape, tfd.Bernoulli.logits)]
    )
    model = tf_keras.Model(encoder.inputs, decoder(encoder.outputs[0]))
    model.compile(tf_keras.optimizers.Adam(1e-3), loss=lambda x, rv: -rv.log_prob(x))
    return lambda epochs: -model.fit(x, x, batch_size=work.batch_size, epochs=epochs, verbose=0).history["loss"][-1]

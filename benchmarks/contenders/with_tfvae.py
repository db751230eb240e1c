"""`VAE.fit`, nothing asked for."""

# Before Keras, which is then imported faster.
import tfvae
from tfvae import estimators, layers, networks

import keras  # isort: skip


def build(work):
    """The model of a workload, compiled."""
    posterior, likelihood = layers.MultivariateNormalDiag, layers.IndependentBernoulli(work.event_shape)
    size = posterior.params_size(work.latent_size)
    if work.hidden:
        encoder, decoder = networks.mlp(size, work.hidden, "tanh"), networks.mlp(784, work.hidden[::-1], "tanh")
    else:
        encoder, decoder = networks.conv_encoder(size), networks.conv_decoder(work.event_shape, 784)
    vae = tfvae.models.VAE(
        keras.Sequential([encoder, posterior(work.latent_size)]),
        keras.Sequential([decoder, likelihood]),
        estimator=estimators.SGVB() if work.k == 1 else estimators.ImportanceWeighted(work.k),
    )
    vae.compile(keras.optimizers.Adam(1e-3))
    return vae


def fit(x, work):
    """Arrays into `fit`."""
    vae = build(work)
    return lambda epochs: vae.fit(x, batch_size=work.batch_size, epochs=epochs, verbose=0).history["elbo"][-1]

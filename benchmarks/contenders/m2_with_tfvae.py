"""M2 by `tfvae.models.VAE` with `Enumerated`, and `fit`."""

import keras

import tfvae
from tfvae import layers, priors


def build(work):
    """The model of a workload, compiled.

    The first layer of q(z|x, y) is linear in (x, y). Its part of x is computed once for all classes.
    """
    dense, hidden, size, classes = keras.layers.Dense, work.hidden, work.latent_size, work.num_classes
    x = keras.Input((784,))
    features = keras.layers.Concatenate()([dense(hidden, activation="softplus")(x), dense(hidden)(x)])
    given, y = keras.Input((2 * hidden,), name="inputs"), keras.Input((classes,), name="y")
    of_y = keras.Model(given, layers.OneHotCategorical(classes)(dense(classes)(given[:, :hidden])))
    joined = keras.ops.softplus(given[:, hidden:] + dense(hidden, use_bias=False)(y))
    of_z = keras.Model({"inputs": given, "y": y}, layers.MultivariateNormalDiag(size)(dense(2 * size)(joined)))
    encoder = keras.Model(x, layers.Joint({"y": of_y, "z": of_z})(features))
    y, z = keras.Input((classes,), name="y"), keras.Input((size,), name="z")
    decoded = dense(784)(dense(hidden, activation="softplus")(keras.layers.Concatenate()([y, z])))
    decoder = keras.Model({"y": y, "z": z}, layers.IndependentBernoulli((784,))(decoded))
    prior = priors.Joint({"y": priors.Categorical(classes), "z": priors.StandardNormal(size)})
    estimator = tfvae.estimators.Enumerated(classification_weight=work.classification_weight)
    vae = tfvae.models.VAE(encoder, decoder, prior, estimator, seed=0)
    vae.compile(keras.optimizers.Adam(work.learning_rate, beta_1=0.9))
    return vae


def fit(x, labels, work):
    """Batches of a split into `fit`, -1 for examples without a label."""
    vae = build(work)
    split = tfvae.data.Split(x.astype("uint8"), labels, num_levels=2)
    batches = split.batches(work.batch_size, shuffle=True, labels=True)
    return lambda epochs: vae.fit(batches, epochs=epochs, verbose=0).history["elbo"][-1]

"""`VAE.fit` with every kind of prior, latents and layers, and functional models with the KL as a regulariser."""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from same_numbers_scenarios.parts import (
    BATCH_SIZE,
    LATENT,
    SHAPE,
    X,
    fit,
    fitting,
    make_decoder,
    make_encoder,
    make_vae,
    trained,
)
from tfvae import layers, losses, models, networks, priors
from tfvae.estimators import SGVB, DReG, ScoreFunction, WakeSleep

tfd = tfp.distributions


def vamp_prior():
    """Whose components go through the model's encoder."""
    encoder = make_encoder()
    encoder.build((None, *SHAPE))
    prior = priors.VampPrior(encoder, 4, input_shape=SHAPE, activation="hard_sigmoid")
    return make_vae(encoder=encoder, prior=prior)


def low_rank_prior():
    """A prior from TFP with a full covariance, for a posterior of full covariance."""
    tril = layers.MultivariateNormalTriL
    network = [keras.layers.Flatten(), keras.layers.Dense(tril.params_size(LATENT)), tril(LATENT)]
    scale = np.tril(np.full((LATENT, LATENT), 0.3) + np.eye(LATENT)).astype("float32")
    prior = tfd.MultivariateNormalTriL(tf.zeros(LATENT), scale)
    return make_vae(encoder=keras.Sequential(network), prior=prior)


def sequential_posterior(raw):
    """q(z_1|x) q(z_2|z_1, x), from ten numbers."""

    def second(first):
        shift = tf.concat([first, first[..., :1]], axis=-1)
        return tfd.Independent(tfd.Normal(raw[..., 4:7] + 0.3 * shift, tf.nn.softplus(raw[..., 7:10]) + 0.01), 1)

    first = tfd.Independent(tfd.Normal(raw[..., :2], tf.nn.softplus(raw[..., 2:4]) + 0.01), 1)
    return tfd.JointDistributionSequential([first, second], batch_ndims=1)


def named_posterior(raw):
    """The same with names."""

    def low(high):
        shift = tf.concat([high, high[..., :1]], axis=-1)
        return tfd.Normal(raw[..., 4:7] + 0.3 * shift, tf.nn.softplus(raw[..., 7:10]) + 0.01)

    high = tfd.Normal(raw[..., :2], tf.nn.softplus(raw[..., 2:4]) + 0.01)
    return tfd.JointDistributionNamedAutoBatched({"high": high, "low": low}, batch_ndims=1)


def _second(first):
    return tfd.Independent(tfd.Normal(tf.concat([first, first[..., :1]], axis=-1), 1.0), 1)


def sequential_prior():
    """p(z_1) p(z_2|z_1)."""
    return tfd.JointDistributionSequential([tfd.Independent(tfd.Normal(tf.zeros(2), 1.0), 1), _second])


def named_prior():
    """The same with names."""
    first = tfd.Independent(tfd.Normal(tf.zeros(2), 1.0), 1)
    return tfd.JointDistributionNamed({"low": lambda high: _second(high), "high": first})


class LearnedPrior(priors.Prior):
    """p(z_1) p(z_2|z_1) with a weight."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.gain = self.add_weight(name="gain", shape=(), initializer="ones", autocast=False)

    @property
    def event_shape(self):
        """Of both parts."""
        return ((2,), (3,))

    def distribution(self):
        """The prior."""
        gain = tf.convert_to_tensor(self.gain)
        first = tfd.Independent(tfd.Normal(tf.zeros(2), 1.0), 1)
        return tfd.JointDistributionSequential([first, lambda z: _scaled(_second(z), gain)])


def _scaled(normal, gain):
    return tfd.Independent(tfd.Normal(gain * normal.mean(), 1.0), 1)


class JointDecoder(keras.Model):
    """A decoder that takes both parts, in a list or by name."""

    def __init__(self):
        super().__init__()
        self.network = make_decoder()

    def call(self, z, training=False):
        """The likelihood."""
        parts = z.values() if isinstance(z, dict) else z
        return self.network(keras.ops.concatenate(list(parts), axis=-1), training=training)


def joint(posterior, prior, estimator=None):
    """A scenario of two latents that depend on each other: fit, bounds and draws."""

    def scenario(folder):
        network = [keras.layers.Flatten(), keras.layers.Dense(10), layers.DistributionLambda(posterior)]
        vae = make_vae(estimator, encoder=keras.Sequential(network), decoder=JointDecoder(), prior=prior())
        arrays = fit(vae, validation_data=(X[:10], X[:10]))
        arrays["elbo"] = vae.elbo(X, num_samples=3, seed=1)
        arrays["sample"] = vae.sample(4, seed=2)
        arrays["reconstruct"] = vae.reconstruct(X, seed=3)
        return arrays

    return scenario


def one_hot():
    """A latent of three states."""
    network = [keras.layers.Flatten(), keras.layers.Dense(LATENT), layers.OneHotCategorical(LATENT)]
    prior = tfd.OneHotCategorical(logits=tf.zeros(LATENT), dtype=tf.float32)
    return make_vae(ScoreFunction(2), encoder=keras.Sequential(network), prior=prior)


def dropout_and_normalization():
    """On both sides."""
    middle = lambda: [keras.layers.BatchNormalization(), keras.layers.Dropout(0.3, seed=1)]  # noqa: E731
    return make_vae(encoder=make_encoder(middle()), decoder=make_decoder(middle()))


def dropout_wake_sleep():
    """The encoder is called twice a step."""
    return make_vae(WakeSleep(), encoder=make_encoder([keras.layers.Dropout(0.3, seed=1)]))


def regularizers():
    """Of weights and of activities."""
    dense = {"kernel_regularizer": "l2", "activity_regularizer": keras.regularizers.L1(0.01)}
    return make_vae(encoder=make_encoder(**dense), decoder=make_decoder(**dense))


def regularizers_importance_weighted():
    """A decoder that is called for several samples."""
    dense = {"kernel_regularizer": "l2", "activity_regularizer": keras.regularizers.L1(0.01)}
    return make_vae(DReG(3), encoder=make_encoder(**dense), decoder=make_decoder(**dense))


def convolutions():
    """An image model with a scale of its own for each pixel."""
    shape = (*SHAPE, 1)
    posterior, likelihood = layers.MultivariateNormalDiag, layers.IndependentNormal
    body = networks.conv_encoder(posterior.params_size(LATENT), filters=(4, 4))
    encoder = keras.Sequential([keras.layers.Reshape(shape), body, posterior(LATENT)])
    body = networks.conv_decoder(shape, likelihood.params_size(shape), (4, 4))
    return make_vae(SGVB(), encoder=encoder, decoder=keras.Sequential([body, likelihood(SHAPE)]))


def functional(exact):
    """A functional model with the KL as an activity regulariser, or as a layer that adds it to the loss."""

    def scenario(folder):
        prior = priors.MixtureOfGaussians(LATENT, 2, seed=1) if exact is False else priors.StandardNormal(LATENT)
        kl = layers.KLDivergenceRegularizer(prior, use_exact_kl=exact, weight=0.5)
        posterior = layers.MultivariateNormalDiag(LATENT, activity_regularizer=kl)
        inputs = keras.Input(SHAPE)
        hidden = keras.layers.Dense(8, activation="tanh")(keras.layers.Flatten()(inputs))
        z = posterior(keras.layers.Dense(posterior.params_size(LATENT))(hidden))
        hidden = keras.layers.Dense(8, activation="tanh")(z)
        outputs = layers.IndependentBernoulli(SHAPE)(keras.layers.Dense(64)(hidden))
        model = keras.Model(inputs, outputs)
        model.compile(keras.optimizers.Adam(0.01), loss=losses.negative_log_likelihood)
        history = model.fit(X, X, batch_size=BATCH_SIZE, epochs=2, verbose=0, validation_data=(X[:9], X[:9])).history
        return {**trained(model, history), "mean": model(X).mean(), "predicted": model.predict(X, verbose=0)}

    return scenario


def saved(folder):
    """A model that was trained, saved and loaded, and trained on."""
    vae = vamp_prior()
    arrays = fit(vae)
    vae.save(folder / "vae.keras")
    loaded = models.load_model(folder / "vae.keras")
    history = loaded.fit(X, batch_size=BATCH_SIZE, epochs=2, verbose=0).history
    return arrays | {f"loaded/{name}": array for name, array in trained(loaded, history).items()}


SCENARIOS = {
    "vamp_prior": fitting(vamp_prior),
    "mixture_prior": fitting(lambda: make_vae(prior=priors.MixtureOfGaussians(LATENT, 3, seed=1))),
    "flow_prior": fitting(lambda: make_vae(prior=priors.Flow(LATENT, 2, (8,), seed=1))),
    "normal_prior": fitting(lambda: make_vae(prior=priors.Normal(LATENT))),
    "full_covariance": fitting(low_rank_prior),
    "joint": joint(sequential_posterior, sequential_prior),
    "joint_learned_prior": joint(sequential_posterior, LearnedPrior, DReG(3)),
    "joint_named": joint(named_posterior, named_prior, ScoreFunction(2)),
    "one_hot": fitting(one_hot),
    "dropout_and_normalization": fitting(dropout_and_normalization),
    "dropout_wake_sleep": fitting(dropout_wake_sleep),
    "regularizers": fitting(regularizers),
    "regularizers_importance_weighted": fitting(regularizers_importance_weighted),
    "convolutions": fitting(convolutions),
    "functional": functional(True),
    "functional_monte_carlo": functional(False),
    "saved_and_trained_on": saved,
}

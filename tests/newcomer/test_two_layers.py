"""A variational autoencoder with two layers of latents, as a user writes it: z1 then z2 in q, z2 then z1 in p."""

import keras
import numpy as np

import tfvae
from tfvae.layers import IndependentBernoulli, Joint, MultivariateNormalDiag

X = (np.random.default_rng(0).random((8, 12)) > 0.5).astype("float32")


def normal(size):
    """A network that ends in a diagonal normal of this size."""
    parameters = keras.layers.Dense(MultivariateNormalDiag.params_size(size))
    return keras.Sequential([keras.layers.Dense(8, activation="tanh"), parameters, MultivariateNormalDiag(size)])


def two_layer_vae(**kwargs):
    encoder = keras.Sequential([keras.layers.Dense(16, activation="tanh"), Joint({"z1": normal(4), "z2": normal(2)})])
    prior = tfvae.priors.Joint({"z2": tfvae.priors.StandardNormal(2), "z1": normal(4)})
    z1 = keras.Input((4,), name="z1")
    decoder = keras.Model({"z1": z1}, IndependentBernoulli((12,))(keras.layers.Dense(12)(z1)))  # p(x|z1)
    return tfvae.models.VAE(encoder, decoder, prior, **kwargs)


def test_a_two_layer_vae(tmp_path):
    vae = two_layer_vae(beta=tfvae.estimators.FreeBits(0.5), seed=0)
    vae.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    history = vae.fit(X, batch_size=4, epochs=1, verbose=0).history
    assert np.isfinite(history["elbo"]).all()
    estimate = vae.estimate(X, seed=1)
    assert set(estimate.terms) == {"kl_z1", "kl_z2"}
    np.testing.assert_allclose(sum(estimate.terms.values()), estimate.kl, rtol=1e-5)

    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    np.testing.assert_array_equal(loaded.elbo(X, seed=1), vae.elbo(X, seed=1))
    assert loaded.encode(X).sample(seed=0)["z2"].shape == (8, 2)
    assert loaded.sample(3, seed=0).shape == loaded.reconstruct(X[:3], seed=0).shape == (3, 12)

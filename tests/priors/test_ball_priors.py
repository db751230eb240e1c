"""Priors on the Poincare ball: densities, learned scales, limits, and their life in a VAE."""

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from slow import slow_except
from small_models import random_bits

import tfvae
from tfvae import layers, priors
from tfvae.models import VAE

X = (4, 2, 1)
NAMES = ("PoincareNormal", "RiemannianNormal")


@pytest.fixture(params=NAMES)
def cls(request):
    return getattr(priors, request.param)


def test_density_is_that_of_the_distance_from_the_origin():
    z = np.array([[0.3, -0.4, 0.1], [0.0, 0.0, 0.0], [0.9, 0.2, 0.3]])
    c, scale = 0.7, 0.8
    length = math.sqrt(c) * np.linalg.norm(z, axis=-1)
    t = 2 * np.arctanh(length)
    factor = np.where(t > 0, np.sinh(t) / np.where(t > 0, t, 1), 1.0)
    volume = 3 * np.log(2 / (1 - length**2))
    normal = -(t**2) / (2 * c * scale**2) - 1.5 * np.log(2 * np.pi * scale**2)
    found = priors.PoincareNormal(3, c, scale, dtype="float64")(z)
    np.testing.assert_allclose(found, normal - 2 * np.log(factor) + volume, rtol=1e-12)
    # The integral of sinh(t)^2 exp(-t^2 / (2 s^2)) is s sqrt(pi / 8) (exp(2 s^2) - 1).
    s = math.sqrt(c) * scale
    integral = s * math.sqrt(math.pi / 8) * math.expm1(2 * s**2)
    log_z = math.log(4 * math.pi * integral) - 1.5 * math.log(c)
    found = priors.RiemannianNormal(3, c, scale, dtype="float64")(z)
    np.testing.assert_allclose(found, -(t**2) / (2 * s**2) - log_z + volume, rtol=1e-12)


def test_a_learned_scale_starts_where_it_is_given_and_learns(cls):
    given, learned = cls(3, 0.5, 0.6), cls(3, 0.5, 0.6, learned=True)
    assert given.trainable_weights == []
    assert [weight.name for weight in learned.trainable_weights] == ["raw_scale"]
    z = given.distribution().sample(50, seed=(1, 2))
    np.testing.assert_allclose(learned(z), given(z), rtol=1e-5)
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(learned(0.1 * z))
    assert float(tape.gradient(loss, learned.trainable_weights[0])) > 0.0, "points near the origin want a smaller scale"
    assert learned.event_shape == (3,)
    assert learned.distribution().batch_shape == ()


def test_config_through_json_gives_the_same_prior(cls):
    prior = cls(2, 0.5, 0.6, learned=True, name="named")
    config = json.dumps(prior.get_config())
    again = cls.from_config(json.loads(config))
    assert json.dumps(again.get_config()) == config
    z = np.array([[0.2, -0.3]], "float32")
    np.testing.assert_array_equal(again(z), prior(z))


def test_scales_whose_draws_would_round_to_the_boundary_are_one_clear_error(cls):
    with pytest.raises(ValueError, match=r"`scale` must be at most .* in float32, .*Received: scale=5"):
        cls(10, scale=5.0)
    cls(10, scale=1.0, dtype="float64")
    for arguments, message in (
        ({"latent_size": 0}, "`latent_size` must be an integer of at least 1"),
        ({"latent_size": 2, "curvature": 0.0}, "`curvature` must be a finite number, above 0"),
        ({"latent_size": 2, "scale": 0.0}, "`scale` must be a finite number, above 1e-05"),
    ):
        with pytest.raises(ValueError, match=message):
            cls(**arguments)


def test_the_riemannian_prior_of_many_dimensions_wants_a_smaller_scale():
    with pytest.raises(ValueError, match=r"at most 0\.726 for latent_size=20 and curvature=1 in float32"):
        priors.RiemannianNormal(20)
    assert priors.PoincareNormal(80).scale == 1.0


def make_vae(posterior, prior):
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential(
        [keras.Input(X), keras.layers.Flatten(), keras.layers.Dense(posterior.parameters_size), posterior]
    )
    first = tfvae.networks.Gyroplane(8, posterior.curvature, "relu")
    decoder = keras.Sequential([keras.Input((2,)), first, keras.layers.Dense(8), layers.IndependentBernoulli(X)])
    prior = priors.VampPrior(encoder, 5, activation="sigmoid") if prior == "VampPrior" else prior
    vae = VAE(encoder, decoder, prior, seed=0)
    vae.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    return vae


VAES = {
    "wrapped": lambda: make_vae(layers.PoincareNormal(2, 0.7), priors.PoincareNormal(2, 0.7)),
    "riemannian": lambda: make_vae(layers.RiemannianNormal(2, 0.7), priors.RiemannianNormal(2, 0.7, learned=True)),
    "both": lambda: make_vae(layers.PoincareNormal(2, 0.7, isotropic=True), priors.RiemannianNormal(2, 0.7)),
    "vamp": lambda: make_vae(layers.PoincareNormal(2, 0.7), "VampPrior"),
}


@pytest.mark.parametrize("name", slow_except(VAES, "wrapped"))
def test_a_vae_trains_is_saved_and_loaded(name, tmp_path):
    vae, x = VAES[name](), random_bits(64, X, 0)
    history = vae.fit(x, batch_size=32, epochs=3, verbose=0).history
    assert np.isfinite(history["elbo"]).all()
    z = vae.encode(x).sample(seed=(1, 2))
    assert np.all(np.sum(np.asarray(z) ** 2, axis=-1) < 1 / 0.7)
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    np.testing.assert_array_equal(loaded.elbo(x[:5], seed=1), vae.elbo(x[:5], seed=1))
    np.testing.assert_array_equal(loaded.sample(3, seed=2), vae.sample(3, seed=2))

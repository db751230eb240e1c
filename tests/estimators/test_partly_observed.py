"""The bound with a continuous part of z that is known for some examples, held to a linear-Gaussian model of (x, y)."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from linear_gaussian import make_linear_gaussian

import tfvae
from tfvae.estimators import SGVB, PartlyObserved, Problem
from tfvae.layers import IndependentNormal, Joint, MultivariateNormalDiag

tfd = tfp.distributions

# z = (y, z') of the oracle, whose y is its first latent: log p(x, y) = log p(x|y) + log N(y; 0, 1).
MODEL = make_linear_gaussian(latent_size=3, data_size=4, sigma=0.6)
X = MODEL.data(5)
Y = np.array([[0.3], [np.nan], [-1.2], [np.nan], [2.0]])
KNOWN = np.isfinite(Y[:, 0])


def log_joint():
    """log p(x) where y is unknown, log p(x, y) where it is known, [B]."""
    given = MODEL._replace(weights=MODEL.weights[:, 1:], bias=MODEL.bias)
    y = np.where(np.isnan(Y), 0.0, Y)
    of_known = given.log_marginal(X - y @ MODEL.weights[:, :1].T) - 0.5 * (y[:, 0] ** 2 + np.log(2 * np.pi))
    return np.where(KNOWN, of_known, MODEL.log_marginal(X))


def normal(loc, covariance):
    return tfd.MultivariateNormalTriL(loc, tf.constant(np.linalg.cholesky(covariance)))


def problem(shift=None):
    """The exact q(y|x) q(z'|x, y), or one whose means are shifted."""
    shift = tf.zeros([3], tf.float64) if shift is None else shift
    mean, covariance = tf.constant(MODEL.posterior_mean(X)), MODEL.posterior_covariance
    gain = covariance[1:, :1] / covariance[0, 0]
    rest = covariance[1:, 1:] - gain @ covariance[:1, 1:]
    of_y = normal(mean[:, :1] + shift[:1], covariance[:1, :1])
    posterior = tfd.JointDistributionNamed(
        {
            "y": of_y,
            "z": lambda y: normal(mean[:, 1:] + shift[1:] + tf.linalg.matvec(tf.constant(gain), y - mean[:, :1]), rest),
        }
    )
    prior = tfd.JointDistributionNamed(
        {name: tfd.MultivariateNormalDiag(tf.zeros(size, tf.float64)) for name, size in (("y", 1), ("z", 2))}
    )
    return Problem(tf.constant(X), posterior, prior, lambda z: MODEL.generate(tf.concat([z["y"], z["z"]], axis=-1)))


def test_the_bound_of_the_exact_posterior_is_the_density():
    estimator = PartlyObserved(kl="monte_carlo", num_samples=2, regression_weight=3.0)
    observed = estimator.observe(problem(), Y)
    found = estimator(observed, seed=1)
    np.testing.assert_allclose(found.bound, log_joint(), rtol=1e-9)
    np.testing.assert_allclose(estimator(problem(), seed=1).bound, MODEL.log_marginal(X), rtol=1e-9)
    log_q = problem().posterior.sample_distributions(seed=(0, 0))[0]["y"].log_prob(np.where(np.isnan(Y), 0.0, Y))
    loss = -log_joint() - 3.0 * np.where(KNOWN, log_q, 0.0)
    np.testing.assert_allclose(found.surrogate_loss, loss, rtol=1e-9)
    np.testing.assert_allclose(found.kl, found.terms["kl_y"] + found.terms["kl_z"], rtol=1e-12)
    np.testing.assert_array_equal(found.terms["regression"].weights, KNOWN)
    np.testing.assert_allclose(found.terms["regression"].values[KNOWN], np.asarray(log_q)[KNOWN])
    error = (MODEL.posterior_mean(X)[:, 0] - Y[:, 0]) ** 2
    np.testing.assert_allclose(found.terms["squared_error"].values[KNOWN], error[KNOWN], rtol=1e-9)


def test_the_bound_with_exact_kls_has_the_right_mean():
    estimator = PartlyObserved(num_samples=4000)
    found = estimator(estimator.observe(problem(), Y), seed=2)
    spread = np.sqrt((np.asarray(problem_spread()) / 4000).max())
    assert (np.abs(found.bound - log_joint()) < 5 * spread).all()
    assert (found.terms["kl_z"] > 0).numpy().all()


def problem_spread():
    """The variance of log p(x|z) over draws of the exact posterior, [B]."""
    z = problem().posterior.sample(4000, seed=(0, 3))
    return tf.math.reduce_variance(problem().generate(z).log_prob(X), axis=0)


def test_its_gradient_is_that_of_central_differences():
    estimator = PartlyObserved(regression_weight=1.5, num_samples=2)

    def loss(shift):
        return tf.reduce_sum(estimator(estimator.observe(problem(shift), Y), seed=4).surrogate_loss)

    shift = tf.constant([0.2, -0.1, 0.3], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(shift)
        value = loss(shift)
    slopes = [(loss(shift + step) - loss(shift - step)) / 2e-6 for step in 1e-6 * np.eye(3)]
    np.testing.assert_allclose(tape.gradient(value, shift), slopes, rtol=1e-6)


def vae_of_numbers(estimator):
    keras.utils.set_random_seed(3)
    dense = keras.layers.Dense
    of_y = keras.Sequential([dense(2), IndependentNormal(1)])
    of_z = keras.Sequential([dense(2), MultivariateNormalDiag(1)])
    encoder = keras.Sequential([keras.Input((3,)), dense(8, activation="tanh"), Joint({"y": of_y, "z": of_z})])
    y, z = keras.Input((1,), name="y"), keras.Input((1,), name="z")
    decoded = dense(6)(dense(8, activation="tanh")(keras.layers.Concatenate()([y, z])))
    decoder = keras.Model({"y": y, "z": z}, IndependentNormal(3)(decoded))
    prior = tfvae.priors.Joint({"y": tfvae.priors.StandardNormal(1), "z": tfvae.priors.StandardNormal(1)})
    return tfvae.models.VAE(encoder, decoder, prior, estimator, seed=1)


@pytest.mark.slow
def test_it_learns_from_a_few_numbers():
    rng = np.random.default_rng(0)
    y = rng.normal(size=600)
    x = (y[:, np.newaxis] * [1.0, -1.0, 0.5] + 0.1 * rng.normal(size=(600, 3))).astype("float32")
    known = np.where(np.arange(600) < 60, y, np.nan)
    vae = vae_of_numbers(PartlyObserved(regression_weight=5.0))
    vae.compile(keras.optimizers.Adam(0.02), jit_compile=False)
    history = vae.fit(x, known, batch_size=30, epochs=6, validation_data=(x, y), verbose=0).history
    assert {"regression", "squared_error", "val_squared_error", "kl_y", "kl_z"} <= set(history)
    assert history["val_squared_error"][-1] < 0.05
    np.testing.assert_allclose(vae.encode_label(x[:10]).mean()[:, 0], y[:10], atol=0.5)
    drawn = vae.sample(400, label=1.5, seed=0).numpy().mean(axis=0)
    np.testing.assert_allclose(drawn, 1.5 * np.array([1.0, -1.0, 0.5]), atol=0.35)


def test_questions_about_numbers_of_a_loaded_model(tmp_path):
    vae_of_numbers(PartlyObserved(regression_weight=5.0)).save(tmp_path / "vae.keras")
    vae = tfvae.load_model(tmp_path / "vae.keras")
    assert vae.estimator == PartlyObserved(regression_weight=5.0)
    x = np.ones((2, 3), "float32")
    posterior = vae.infer(x).sample_distributions(seed=(0, 0))[0]["y"]
    np.testing.assert_array_equal(vae.encode_label(x).mean(), posterior.mean())
    given = vae.prior.distribution().sample_distributions(4, value={"y": tf.fill([4, 1], 2.5)}, seed=(0, 0))[1]
    assert given["z"].shape == (4, 1)
    np.testing.assert_array_equal(vae.sample(4, label=2.5, seed=0), vae.sample(4, label=[2.5] * 4, seed=0))
    assert np.any(vae.sample(4, label=2.5, seed=0) != vae.sample(4, label=-2.5, seed=0))
    with pytest.raises(ValueError, match=r"numbers, not classes. Use vae.encode_label"):
        vae.classify(x)


def test_what_does_not_fit_is_one_error():
    vae = vae_of_numbers(PartlyObserved())
    x = np.zeros((2, 3), "float32")
    with pytest.raises(ValueError, match=r"must have shape \(B, 1\).*y of shape \(2, 2\)"):
        vae.estimate(vae.batch_of((x, np.zeros((2, 2)))))
    reversed_parts = Joint(
        {
            "z": keras.Sequential([keras.layers.Dense(2), MultivariateNormalDiag(1)]),
            "y": keras.Sequential([keras.layers.Dense(2), MultivariateNormalDiag(1)]),
        }
    )
    encoder = keras.Sequential([keras.Input((3,)), reversed_parts])
    with pytest.raises(ValueError, match="that draws the part 'y' first"):
        tfvae.models.VAE(encoder, vae.decoder, vae.prior, PartlyObserved()).estimate(x)
    # A weight without labels, and targets of other models, are no labels.
    np.testing.assert_array_equal(
        vae.estimate(vae.batch_of((x, np.full(2, np.nan))), seed=0).bound, vae.estimate(x, seed=0).bound
    )
    other = vae.estimate(vae.batch_of((x, x)), estimator=SGVB(), seed=0)
    np.testing.assert_array_equal(other.bound, vae.estimate(x, estimator=SGVB(), seed=0).bound)

"""Missing values, held to a linear-Gaussian model, whose marginals of any observed part are known."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from gaussian_vaes import decoder_of, exact_vae
from linear_gaussian import make_linear_gaussian
from slow import slow_except
from small_models import few_signatures, random_bits, small_vae

import tfvae
from tfvae import layers
from tfvae.layers._observed import Observed

tfd = tfp.distributions
MODEL = make_linear_gaussian(latent_size=2, data_size=5)
COVARIANCE = MODEL.weights @ MODEL.weights.T + MODEL.sigma**2 * np.eye(5)


@pytest.fixture(scope="module")
def holes():
    x = MODEL.data(6).astype("float32")
    x[np.random.default_rng(1).uniform(size=x.shape) < 0.4] = np.nan
    x[0], x[1] = MODEL.data(1)[0], np.nan  # one is complete, one is missing altogether
    return x


@pytest.fixture(scope="module")
def vae():
    """The exact posterior of each pattern of missing values, which a network cannot know."""

    class Exact(keras.Model):
        def call(self, inputs, training=None):
            x, observed = inputs["x"], inputs["observed"]
            precision = tf.einsum("xd,bx,xe->bde", WEIGHTS, observed, WEIGHTS) / MODEL.sigma**2
            covariance = tf.linalg.inv(tf.eye(2) + precision)
            residual = observed * (x - BIAS)
            loc = tf.einsum("bde,xe,bx->bd", covariance, WEIGHTS, residual) / MODEL.sigma**2
            return tfd.MultivariateNormalTriL(loc, tf.linalg.cholesky(covariance))

    x, observed = keras.Input((5,), name="x"), keras.Input((5,), name="observed")
    joined = keras.layers.Concatenate()([x, observed])

    def exact(joined):
        return Exact()({"x": joined[..., :5], "observed": joined[..., 5:]})

    encoder = keras.Model({"x": x, "observed": observed}, layers.DistributionLambda(exact)(joined))
    return tfvae.models.VAE(encoder, decoder_of(MODEL), tfvae.priors.StandardNormal(2), missing="nan", seed=0)


WEIGHTS, BIAS = tf.constant(MODEL.weights, tf.float32), tf.constant(MODEL.bias, tf.float32)


def log_marginal(x):
    """Log p of what is observed."""
    found = []
    for row in x:
        seen = ~np.isnan(row)
        normal = tfd.MultivariateNormalTriL(
            MODEL.bias[seen], np.linalg.cholesky(COVARIANCE[np.ix_(seen, seen)] + 0.0 * np.eye(seen.sum()))
        )
        found.append(float(normal.log_prob(row[seen])) if seen.any() else 0.0)
    return np.array(found)


def conditional_mean(row):
    seen = ~np.isnan(row)
    mean = MODEL.bias.copy()
    if seen.any():
        gain = COVARIANCE[:, seen] @ np.linalg.inv(COVARIANCE[np.ix_(seen, seen)])
        mean += gain @ (row[seen] - MODEL.bias[seen])
    return np.where(seen, row, mean)


def test_bounds_are_those_of_the_observed_part(vae, holes):
    expected = log_marginal(holes)
    record = tfvae.evaluation.log_marginal(vae, holes, num_importance_samples=3, batch_size=4)
    np.testing.assert_allclose(record.per_example, expected, rtol=1e-5, atol=1e-5)
    batch = vae.batch_of(holes)
    for estimator in (tfvae.estimators.SGVB(kl="monte_carlo"), tfvae.estimators.DReG(2)):
        np.testing.assert_allclose(
            vae.estimate(batch, estimator=estimator, seed=1).bound, expected, rtol=1e-4, atol=1e-4
        )
    masked = {"x": np.nan_to_num(holes, nan=7.0), "observed": ~np.isnan(holes)}
    np.testing.assert_array_equal(vae.elbo(masked, seed=1), vae.elbo(holes, seed=1))


def test_imputed_means_and_draws_are_those_given_the_observed_part(vae, holes):
    found = tfvae.evaluation.impute(vae, holes, num_samples=400, num_importance_samples=400, batch_size=4, seed=2)
    expected = np.array([conditional_mean(row) for row in holes])
    seen = ~np.isnan(holes)
    np.testing.assert_array_equal(found.observed, seen)
    np.testing.assert_array_equal(found.mean[seen], holes[seen])
    np.testing.assert_allclose(found.effective_sample_size, 400.0, rtol=1e-3)  # weights of an exact posterior are equal
    deviation = np.sqrt(np.diag(COVARIANCE))  # at least that of the conditional means over z
    assert (np.abs(found.mean - expected) < 5 * deviation / np.sqrt(400))[~seen].all()
    error = found.samples.std(axis=0) / np.sqrt(400) + deviation / np.sqrt(400)  # K draws are shared by the samples
    assert (np.abs(found.samples.mean(axis=0) - expected) < 5 * error)[~seen].all()
    np.testing.assert_allclose(found.samples[:, 1].std(axis=0), deviation, rtol=0.25)


def test_weights_correct_an_encoder_that_is_wrong(holes):
    """Means of copies of one example, which differ in their draws, within five standard errors."""
    wrong = exact_vae(MODEL, scale_factor=1.5, shift=0.2)
    for row in holes[2:4]:
        copies = np.tile(row, (60, 1))
        data = {"x": np.nan_to_num(copies), "observed": ~np.isnan(copies)}
        found = tfvae.evaluation.impute(wrong, data, num_samples=1, num_importance_samples=3000, batch_size=60)
        error = found.mean.std(axis=0, ddof=1) / np.sqrt(60)
        np.testing.assert_array_less(np.abs(found.mean.mean(axis=0) - conditional_mean(row)), 5 * error + 1e-5)
        assert (found.effective_sample_size < 2900).all()


LIKELIHOODS = [
    layers.IndependentBernoulli((4, 2), validate_args=True),
    layers.IndependentContinuousBernoulli((4, 2), validate_args=True),
    layers.IndependentNormal((4, 2), validate_args=True),
    layers.IndependentLaplace((4, 2), validate_args=True),
    layers.IndependentLogistic((4, 2), validate_args=True),
    layers.IndependentStudentT((4, 2), validate_args=True),
    layers.IndependentBeta((4, 2), validate_args=True),
    layers.IndependentPoisson((4, 2), validate_args=True),
    layers.IndependentNegativeBinomial((4, 2), validate_args=True),
    layers.IndependentCategorical((4, 2), 3, validate_args=True),
    layers.BetaBinomial((4, 2), 5, validate_args=True),
    layers.DiscretizedLogistic((4, 2), validate_args=True),
    layers.DiscretizedLogisticMixture((4, 2, 1), 2, validate_args=True),
    layers.MultivariateNormalDiag(8),
    layers.Standardized(layers.IndependentStudentT((4, 2))),
    layers.GenericDistribution(tfd.Gamma, (4, 2)),
]


FAST = [
    layer for layer in LIKELIHOODS if layer.name.startswith(("independent_bernoulli", "discretized", "standardized"))
]


@pytest.mark.parametrize("layer", slow_except(LIKELIHOODS, *FAST), ids=lambda layer: layer.name)
def test_the_density_is_a_sum_over_observed_values(layer):
    """Of draws of the likelihood, and without NaN in gradients."""
    parameters = tf.random.stateless_normal([3, layer.parameters_size], [1, 2])
    likelihood = layers._coercion.as_distribution(layer(parameters))
    x = likelihood.sample([5], seed=(0, 0))
    mask = tf.constant(random_bits(3, likelihood.event_shape)) > 0
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        made = layers._coercion.as_distribution(layer(parameters))
        found = Observed(made, mask).log_prob(tf.where(mask, x, tf.zeros_like(x)))  # [5, 3]
    complete = Observed(likelihood, tf.ones_like(mask)).log_prob(x)
    np.testing.assert_allclose(complete, likelihood.log_prob(x), rtol=1e-5)
    missing = Observed(likelihood, ~mask).log_prob(x)
    np.testing.assert_allclose(found + missing, complete, rtol=1e-4, atol=1e-5)
    assert np.isfinite(tape.gradient(found, parameters)).all()


def tfvae_elbo(vae, x, seed):
    """The average over one draw, whose seed is derived from that of the request."""
    return tfvae.estimators.averaged_elbo(vae.problem(vae.batch_of(x)), num_samples=1, seed=seed).bound


def test_it_trains_on_nan_and_is_saved(tmp_path):
    x = random_bits(24, (4, 2))
    x[np.random.default_rng(0).uniform(size=x.shape) < 0.3] = np.nan
    vae = small_vae(missing="nan")
    vae.compile("adam", jit_compile=False)
    history = vae.fit(x, batch_size=8, epochs=2, validation_data=x, verbose=0).history
    assert np.isfinite(history["val_elbo"]).all()
    np.testing.assert_array_equal(vae.preview_batch, x)  # callbacks see what is missing
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    assert loaded.missing == "nan"
    np.testing.assert_array_equal(loaded.elbo(x, seed=1), vae.elbo(x, seed=1))
    assert np.isfinite(vae.predict(x[:2], verbose=0)).all()
    assert np.isfinite(vae.reconstruct(x[:2], seed=0)).all()


@pytest.mark.slow
def test_an_exported_model_takes_nan(tmp_path):
    x = random_bits(6, (4, 2))
    x[np.random.default_rng(0).uniform(size=x.shape) < 0.3] = np.nan
    vae = small_vae(missing="nan")
    with few_signatures("elbo", "posterior"):
        tfvae.export.save(vae, tmp_path / "1")
    served = tf.saved_model.load(str(tmp_path / "1"))
    np.testing.assert_allclose(served.posterior(tf.constant(x))["loc"], vae.encode(x).mean(), rtol=1e-5, atol=1e-6)
    seed = tf.constant([0, 3])
    answer = served.elbo(tf.constant(x), tf.constant(1), seed)["elbo"]
    np.testing.assert_allclose(answer, tfvae_elbo(vae, x, seed), rtol=1e-4)


@pytest.mark.parametrize(
    ("make", "x", "message"),
    [
        (small_vae, np.full((2, 4, 2), np.nan), "NaN or infinite"),
        (lambda: small_vae(missing="nan"), np.full((2, 4, 2), np.nan), "All values of x are missing"),
        (lambda: small_vae(missing="nan"), np.full((2, 4, 2), np.inf), "NaN or infinite"),
        (small_vae, {"x": np.zeros((2, 4, 2)), "observed": np.ones((2, 4))}, "shape of x"),
        (lambda: small_vae(missing="zero"), np.zeros((2, 4, 2)), "missing='zero'"),
    ],
)
def test_what_does_not_fit_is_one_error(make, x, message):
    def fit():
        vae = make()
        vae.compile("sgd")
        single = {"x": x} if isinstance(x, np.ndarray) else x
        vae.fit({name: part.astype("float32") for name, part in single.items()}, verbose=0)

    with pytest.raises(ValueError, match=message):
        fit()


@pytest.mark.parametrize(
    "layer",
    [
        layers.MixtureNormal(2, (3,)),
        layers.OneHotCategorical(3),
        layers.MultivariateNormalTriL(3),
        layers.DiscretizedLogisticMixture((2, 2, 3), 2),
        layers.Standardized(layers.MixtureNormal(2, (3,))),
    ],
    ids=lambda layer: layer.name,
)
def test_values_that_depend_on_each_other_cannot_be_missing(layer):
    likelihood = layers._coercion.as_distribution(layer(tf.zeros([1, layer.parameters_size])))
    with pytest.raises(ValueError, match="independent given z"):
        Observed(likelihood, tf.ones([1, *likelihood.event_shape], tf.bool))

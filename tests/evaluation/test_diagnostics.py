"""Diagnostics against closed forms, quadrature and enumeration."""

import json
import math

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp
from gaussian_vaes import decoder_of, encoder_of, gaussian_vae, inverse_softplus
from linear_gaussian import make_linear_gaussian

import tfvae
from tfvae import layers
from tfvae.evaluation import active_units, diagnostics

tfb, tfd = tfp.bijectors, tfp.distributions

MODEL = make_linear_gaussian(latent_size=3, data_size=4, sigma=0.9)
N = 23
DATA = MODEL.data(N, seed=5).astype("float32")
GAIN = np.array([[0.3, -0.1, 0.2, 0.05], [0.0, 0.0, 0.0, 0.0], [-0.2, 0.4, 0.0, 0.1]])  # unit 1 ignores x
OFFSET = np.array([0.2, -0.3, 0.1])
SCALE = np.array([0.4, 0.95, 0.6])
LOC = DATA @ GAIN.T + OFFSET


def close(record, expected):
    """Within five of the record's own Monte Carlo standard errors."""
    return abs(record.mean - expected) < 5 * record.monte_carlo_standard_error


@pytest.fixture(scope="module")
def diagonal():
    vae = gaussian_vae(MODEL, GAIN, OFFSET, SCALE)
    return vae, diagnostics(vae, DATA, num_samples=50, batch_size=10)


def test_rate_and_distortion(diagonal):
    vae, result = diagonal
    covariance = np.diag(SCALE**2)
    np.testing.assert_allclose(result.rate.per_example, MODEL.kl(LOC, covariance), rtol=1e-5)
    assert result.rate.diagnostics["exact"]
    assert result.rate.monte_carlo_standard_error == 0.0
    assert close(result.distortion, -MODEL.log_likelihood(DATA, LOC, covariance).mean())
    bits = (result.rate.mean + result.distortion.mean) / (4 * math.log(2))
    assert result.bits_per_dim.mean == pytest.approx(bits, rel=1e-6)
    levels = diagnostics(vae, DATA, num_samples=50, batch_size=10, num_levels=17)
    assert levels.bits_per_dim.mean == pytest.approx(bits + math.log2(17), rel=1e-6)


def test_kl_per_dimension_of_a_factorised_posterior_adds_up(diagonal):
    _, result = diagonal
    expected = 0.5 * (SCALE**2 + LOC**2 - 1) - np.log(SCALE)
    np.testing.assert_allclose(result.kl_per_dimension.mean, expected.mean(axis=0), rtol=1e-5)
    error = expected.std(axis=0, ddof=1) / math.sqrt(N)
    np.testing.assert_allclose(result.kl_per_dimension.standard_error, error, rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(result.kl_per_dimension.monte_carlo_standard_error, 0.0)
    assert result.kl_per_dimension.mean.sum() == pytest.approx(result.rate.mean, rel=1e-6)
    assert result.kl_per_dimension.note == "closed form; the sum over dimensions is the KL"


def test_active_units(diagonal):
    vae, result = diagonal
    units, alone = result.active_units, active_units(vae, DATA, batch_size=10)
    np.testing.assert_array_equal(alone.active, units.active)
    np.testing.assert_allclose(alone.variance, units.variance, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(alone.standard_error, units.standard_error, rtol=1e-6, atol=1e-12)
    with pytest.raises(ValueError, match="at least 2"):
        active_units(vae, DATA[:1])
    np.testing.assert_allclose(units.variance, LOC.var(axis=0, ddof=1), rtol=1e-4, atol=1e-9)
    np.testing.assert_array_equal(units.active, [True, False, True])
    assert units.num_active == 2
    fourth = ((LOC - LOC.mean(axis=0)) ** 4).mean(axis=0)
    error = np.sqrt(np.maximum(fourth - LOC.var(axis=0, ddof=1) ** 2, 0) / N)
    np.testing.assert_allclose(units.standard_error, error, rtol=1e-3, atol=1e-9)
    assert not result.collapsed
    assert "2 of 3" in result.message


def test_a_posterior_that_does_not_know_its_mean_has_no_active_units():
    squashed = layers.DistributionLambda(
        lambda raw: tfd.TransformedDistribution(tfd.MultivariateNormalDiag(raw, tf.ones_like(raw)), tfb.Tanh())
    )
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), squashed])
    vae = tfvae.models.VAE(encoder, decoder_of(MODEL), prior=tfvae.priors.StandardNormal(3))
    assert active_units(vae, DATA) is None


@pytest.mark.slow  # the test of discrete latents asks the same of a sum
def test_information_and_kl_of_the_aggregated_posterior_by_quadrature():
    """A mixture of five normals on a line."""
    model = make_linear_gaussian(latent_size=1, data_size=2)
    x = np.array([[-1.0, 0.5], [0.2, 0.1], [0.4, -0.3], [2.0, 1.0], [-0.6, -0.9]], "float32")
    gain, offset, scale = np.array([[0.9, -0.4]]), np.array([0.3]), np.array([0.35])
    vae = gaussian_vae(model, gain, offset, scale)
    result = diagnostics(vae, x, num_samples=2000)
    loc = x @ gain[0] + offset
    z = np.linspace(-8.0, 8.0, 20001)
    q_given_x = scipy.stats.norm(loc[:, None], scale).pdf(z)  # [N, grid]
    q, p, width = q_given_x.mean(axis=0), scipy.stats.norm.pdf(z), z[1] - z[0]
    information = width * np.sum(scipy.special.xlogy(q_given_x, q_given_x / q), axis=1)
    marginal_kl = width * np.sum(scipy.special.xlogy(q, q / p))
    for record in (result.mutual_information, result.aggregated_kl):
        assert 0 < record.monte_carlo_standard_error < 0.02
    assert close(result.mutual_information, information.mean())
    assert close(result.aggregated_kl, marginal_kl)
    deviation = (result.mutual_information.per_example - information) / np.sqrt(
        result.mutual_information.monte_carlo_variance
    )
    assert np.abs(deviation).max() < 5
    # Hoffman & Johnson's decomposition holds on the same draws.
    assert result.mutual_information.mean + result.aggregated_kl.mean == pytest.approx(result.rate.mean, rel=1e-5)


@pytest.mark.slow
def test_information_of_separate_posteriors_is_the_logarithm_of_their_number():
    vae = gaussian_vae(MODEL, 100.0 * MODEL.posterior_weights, OFFSET, 0.25 * SCALE)
    record = diagnostics(vae, DATA, num_samples=3).mutual_information
    np.testing.assert_allclose(record.per_example, math.log(N), atol=1e-4)
    assert record.diagnostics["upper_bound"] == pytest.approx(math.log(N))


@pytest.mark.slow
def test_correlated_posterior_marginals_fall_short_by_the_total_correlation():
    tril = np.array([[0.5, 0.0, 0.0], [0.3, 0.6, 0.0], [-0.4, 0.2, 0.7]])
    result = diagnostics(gaussian_vae(MODEL, GAIN, OFFSET, tril), DATA, num_samples=2)
    deviations = np.sqrt(np.diag(tril @ tril.T))
    expected = 0.5 * (deviations**2 + LOC**2 - 1) - np.log(deviations)
    np.testing.assert_allclose(result.kl_per_dimension.mean, expected.mean(axis=0), rtol=1e-5)
    total_correlation = np.sum(np.log(deviations)) - np.sum(np.log(np.diag(tril)))
    assert result.kl_per_dimension.mean.sum() + total_correlation == pytest.approx(result.rate.mean, rel=1e-5)
    assert "total correlation" in result.kl_per_dimension.note


@pytest.fixture
def collapsed(diagonal):
    """The same model, whose functions are traced, with another encoder."""
    vae, before = diagonal[0], diagonal[0].get_weights()
    vae.set_weights(gaussian_vae(MODEL, np.zeros((3, 4)), np.zeros(3), np.ones(3)).get_weights())
    yield vae
    vae.set_weights(before)


def test_collapse_raises_the_alarm(collapsed):
    vae = collapsed
    result = diagnostics(vae, DATA, num_samples=5)
    assert result.collapsed
    assert "Posterior collapse: 0 of 3" in result.message
    np.testing.assert_allclose(result.mutual_information.per_example, 0.0, atol=1e-5)
    np.testing.assert_allclose(result.aggregated_kl.per_example, 0.0, atol=1e-5)
    # A wide prior mismatch with no dependence on x has a rate and is a collapse nevertheless.
    loc_and_raw_scale = vae.encoder.layers[0].bias
    loc_and_raw_scale.assign_add([2.0, 2.0, 2.0, 0.0, 0.0, 0.0])
    far = diagnostics(vae, DATA, num_samples=5)
    assert far.rate.mean == pytest.approx(6.0, rel=1e-4)
    assert far.collapsed


def test_without_a_closed_form_the_dimensions_are_monte_carlo():
    """Laplace posterior, standard normal prior: TFP knows no KL, we do."""
    raw = inverse_softplus(SCALE)
    vae = tfvae.models.VAE(encoder_of(MODEL, layers.IndependentLaplace, GAIN, OFFSET, raw), decoder_of(MODEL))
    result = diagnostics(vae, DATA, num_samples=200)
    expected = 0.5 * math.log(2 * math.pi) - np.log(2 * SCALE) - 1 + 0.5 * (LOC**2 + 2 * SCALE**2)
    error = result.kl_per_dimension.monte_carlo_standard_error
    assert np.all(np.abs(result.kl_per_dimension.mean - expected.mean(axis=0)) < 5 * error)
    assert np.all((error > 0) & (error < 0.05))
    assert close(result.rate, expected.sum(axis=1).mean())
    assert result.kl_per_dimension.mean.sum() == pytest.approx(result.rate.mean, rel=1e-4)
    assert result.kl_per_dimension.note.startswith("Monte Carlo")
    assert not result.rate.diagnostics["exact"]


@pytest.fixture(scope="module")
def discrete():
    keras.utils.set_random_seed(4)
    encoder = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(5), layers.GenericDistribution(tfd.OneHotCategorical, 5)]
    )
    decoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(8), layers.IndependentNormal(4)])
    prior = tfd.OneHotCategorical(probs=[0.1, 0.2, 0.3, 0.15, 0.25], dtype=tf.int32)
    return tfvae.models.VAE(encoder, decoder, prior=prior)


def test_discrete_latents_by_enumeration(discrete):
    result = diagnostics(discrete, DATA, num_samples=300)
    logits = discrete.encoder.layers[0](DATA).numpy().astype("float64")
    q = scipy.special.softmax(logits, axis=1)
    information = np.sum(q * np.log(q / q.mean(axis=0)), axis=1).mean()
    kl = np.sum(q * np.log(q / np.array([0.1, 0.2, 0.3, 0.15, 0.25])), axis=1).mean()
    assert close(result.mutual_information, information)
    assert close(result.aggregated_kl, kl - information)
    assert result.rate.mean == pytest.approx(kl, rel=1e-5)
    assert result.kl_per_dimension.mean is None
    assert result.active_units is None
    assert "vector of floating-point" in result.kl_per_dimension.note
    json.dumps(result.to_dict(), allow_nan=False)


@pytest.fixture(scope="module")
def logit_normal():
    """A posterior that does not know its mean."""
    layer = layers.GenericDistribution(tfd.LogitNormal, 2)
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(layer.parameters_size), layer])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8), layers.IndependentNormal(4)])
    return tfvae.models.VAE(encoder, decoder, prior=tfd.Independent(tfd.LogitNormal([0.0, 0.1], [1.0, 0.9]), 1))


@pytest.mark.slow
def test_active_units_of_a_posterior_without_a_mean(logit_normal):
    samples = 5
    units = diagnostics(logit_normal, DATA, num_samples=samples).active_units
    inner = logit_normal.encode(DATA).distribution
    loc, scale = inner.distribution.loc.numpy(), inner.distribution.scale.numpy()
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    z = scipy.special.expit(loc[..., None] + scale[..., None] * nodes)
    mean = z @ weights / weights.sum()
    variance = z**2 @ weights / weights.sum() - mean**2
    deviation = mean - mean.mean(axis=0)
    # The variance of sum (m + e)^2 / (N - 1) for means m with noise e of variance v / S, to first order in both.
    noise = variance / samples
    error = np.sqrt(np.sum(4 * deviation**2 * noise + 2 * noise**2, axis=0)) / (N - 1)
    assert np.all(np.abs(units.variance - mean.var(axis=0, ddof=1)) < 5 * error)
    assert diagnostics(logit_normal, DATA, num_samples=1).active_units is None


def test_mixture_of_a_subset_and_repeatability(diagonal):
    vae, _ = diagonal
    results = [
        diagnostics(vae, data, num_samples=4, num_mixture_examples=7, batch_size=10, seed=3)
        for data in (DATA, tf.data.Dataset.from_tensor_slices(DATA).batch(6))
    ]
    for record in (results[0].mutual_information, results[0].aggregated_kl):
        assert len(record.per_example) == record.diagnostics["num_examples_in_mixture"] == 7
    information = [result.mutual_information.per_example for result in results]
    np.testing.assert_allclose(information[1], information[0], rtol=1e-5)  # the same seven, however they come
    other = diagnostics(vae, DATA, num_samples=4, num_mixture_examples=7, batch_size=10, seed=4)
    assert not np.allclose(other.mutual_information.per_example, information[0])
    again = diagnostics(vae, DATA, num_samples=4, num_mixture_examples=7, batch_size=10, seed=3)
    assert again.to_dict() == results[0].to_dict()


def test_json_says_what_is_exact_and_what_is_unknown(diagonal):
    vae, _ = diagonal
    report = json.loads(json.dumps(diagnostics(vae, DATA, num_samples=1).to_dict(), allow_nan=False))
    assert report["distortion"]["monte_carlo_standard_error"] is None  # one draw cannot tell
    assert report["rate"]["monte_carlo_standard_error"] == 0.0
    assert report["rate"]["exact"] is True
    assert report["active_units"]["num_active"] == 2
    assert set(report) == {
        "rate",
        "distortion",
        "bits_per_dim",
        "mutual_information",
        "aggregated_kl",
        "kl_per_dimension",
        "active_units",
        "collapsed",
        "message",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_samples": 0}, "num_samples"),
        ({"num_mixture_examples": 1}, "num_mixture_examples"),
        ({"data": DATA[:1]}, "at least 2"),
        ({"data": DATA[:0]}, "no examples"),
        ({"data": DATA[:, :3]}, "event shape"),
    ],
)
def test_bad_input_is_one_clear_error(diagonal, arguments, message):
    arguments = {"data": DATA, **arguments}
    with pytest.raises(ValueError, match=message):
        diagnostics(diagonal[0], **arguments)

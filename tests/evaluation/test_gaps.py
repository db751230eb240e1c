"""Amortisation and approximation gaps against the linear-Gaussian model, where the best normal is known."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from gaussian_vaes import decoder_of, encoder_of, exact_vae, gaussian_vae
from linear_gaussian import make_linear_gaussian

import tfvae
from tfvae import layers
from tfvae.evaluation import inference_gaps

tfd = tfp.distributions

MODEL = make_linear_gaussian(latent_size=2, data_size=4, sigma=0.9)
DATA = MODEL.data(13, seed=7).astype("float32")
LOG_MARGINAL = MODEL.log_marginal(DATA)
FEW = {"num_importance_samples": 50, "num_steps": 300, "num_samples": 2}  # equal numbers of steps share a trace

# The best normal with a diagonal covariance has the posterior's mean and the diagonal of its precision.
BEST_DIAGONAL = np.diag(1.0 / np.diag(np.linalg.inv(MODEL.posterior_covariance)))
BEST_ELBO = MODEL.elbo(DATA, MODEL.posterior_mean(DATA), BEST_DIAGONAL)


def close(record, expected):
    return abs(record.mean - expected.mean()) < 5 * record.monte_carlo_standard_error


@pytest.fixture(scope="module")
def exact():
    return exact_vae(MODEL)


@pytest.mark.parametrize("seed", [0, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_gaps_of_the_exact_posterior_are_zero(exact, seed):
    gaps = inference_gaps(exact, DATA, **FEW, batch_size=6, seed=seed)
    assert gaps.family == "full"
    np.testing.assert_allclose(gaps.elbo.per_example, LOG_MARGINAL, atol=3e-5)
    np.testing.assert_allclose(gaps.elbo_refined_full.per_example, LOG_MARGINAL, atol=3e-5)
    for gap in (gaps.amortization_gap, gaps.approximation_gap, gaps.approximation_gap_full):
        np.testing.assert_allclose(gap.per_example, 0.0, atol=3e-5)


@pytest.mark.slow
def test_gaps_of_an_exact_diagonal_posterior_are_zero():
    """Orthogonal columns make the posterior factorise."""
    weights = np.array([[1.0, 0.5], [-0.5, 1.0], [1.0, -0.5], [0.5, 1.0]])
    model = MODEL._replace(weights=weights)
    np.testing.assert_allclose(np.linalg.inv(model.posterior_covariance)[0, 1], 0.0, atol=1e-12)
    gain = model.posterior_weights
    vae = gaussian_vae(model, gain, -gain @ model.bias, np.sqrt(np.diag(model.posterior_covariance)))
    gaps = inference_gaps(vae, DATA, **FEW)
    assert gaps.family == "diagonal"
    for gap in (gaps.amortization_gap, gaps.approximation_gap, gaps.approximation_gap_full):
        np.testing.assert_allclose(gap.per_example, 0.0, atol=3e-5)


@pytest.fixture(scope="module")
def wrong_full(exact):
    shift, before = np.array([0.5, -0.3]), exact.get_weights()
    exact.set_weights(exact_vae(MODEL, scale_factor=1.6, shift=shift).get_weights())
    gaps = inference_gaps(exact, DATA, num_importance_samples=500, num_steps=300, num_samples=200)
    exact.set_weights(before)
    return shift, gaps


def test_refinement_finds_the_exact_posterior(wrong_full):
    _, gaps = wrong_full
    np.testing.assert_allclose(gaps.elbo_refined_full.per_example, LOG_MARGINAL, atol=1e-4)
    np.testing.assert_allclose(gaps.approximation_gap.per_example, 0.0, atol=1e-4)
    assert close(gaps.elbo_refined_diagonal, BEST_ELBO)


def test_amortization_gap_of_a_wrong_full_encoder(wrong_full):
    shift, gaps = wrong_full
    loc = MODEL.posterior_mean(DATA) + shift
    elbo = MODEL.elbo(DATA, loc, MODEL.posterior_covariance * 1.6**2)
    assert close(gaps.elbo, elbo)
    assert close(gaps.amortization_gap, LOG_MARGINAL - elbo)
    assert gaps.amortization_gap.mean > 0.3
    total = gaps.amortization_gap.per_example + gaps.approximation_gap.per_example
    np.testing.assert_allclose(total, gaps.log_marginal.per_example - gaps.elbo.per_example, atol=1e-5)


def test_gaps_of_a_wrong_diagonal_encoder():
    gain, scale = 0.8 * MODEL.posterior_weights, np.array([0.9, 0.2])
    offset = np.array([0.3, 0.1]) - gain @ MODEL.bias
    vae = gaussian_vae(MODEL, gain, offset, scale)
    gaps = inference_gaps(vae, DATA, num_importance_samples=2000, num_steps=300, num_samples=200)
    assert gaps.family == "diagonal"
    elbo = MODEL.elbo(DATA, DATA @ gain.T + offset, np.diag(scale**2))
    assert close(gaps.elbo, elbo)
    assert close(gaps.elbo_refined_diagonal, BEST_ELBO)
    assert close(gaps.amortization_gap, BEST_ELBO - elbo)
    assert close(gaps.approximation_gap, LOG_MARGINAL - BEST_ELBO)
    assert (LOG_MARGINAL - BEST_ELBO).mean() > 10 * gaps.approximation_gap.monte_carlo_standard_error
    np.testing.assert_allclose(gaps.elbo_refined_full.per_example, LOG_MARGINAL, atol=1e-4)
    # Shared noise: the difference is known better than independent draws would tell it.
    independent = gaps.elbo.monte_carlo_variance + gaps.elbo_refined_diagonal.monte_carlo_variance
    assert gaps.amortization_gap.monte_carlo_variance.sum() < independent.sum()
    report = json.loads(json.dumps(gaps.to_dict(), allow_nan=False))
    assert report["family"] == "diagonal"
    assert report["approximation_gap"]["of"] == "elbo_refined_diagonal"


@pytest.mark.parametrize("name", ["IndependentNormal", "MultivariateNormalDiagPlusLowRank"])
@pytest.mark.slow
def test_every_spelling_of_a_normal_posterior(name):
    keras.utils.set_random_seed(2)
    layer = (
        layers.IndependentNormal(2) if name == "IndependentNormal" else layers.MultivariateNormalDiagPlusLowRank(2, 1)
    )
    size = 4 if name == "IndependentNormal" else layers.MultivariateNormalDiagPlusLowRank.params_size(2, 1)
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(size), layer])
    vae = tfvae.models.VAE(encoder, decoder_of(MODEL))
    gaps = inference_gaps(vae, DATA, num_importance_samples=2, num_steps=0, num_samples=400)
    posterior = vae.encode(DATA)
    covariance = np.stack([np.diag(v) for v in posterior.variance().numpy()])
    if name != "IndependentNormal":
        covariance = posterior.covariance().numpy()
        assert gaps.family == "full"
    elbo = MODEL.elbo(DATA, posterior.mean().numpy(), covariance)
    assert close(gaps.elbo, elbo)
    # No steps: the refined family is the encoder's own, draw for draw.
    np.testing.assert_allclose(gaps.amortization_gap.per_example, 0.0, atol=1e-5)


@pytest.mark.slow
def test_shuffled_data_sets_pair_the_same_examples():
    vae = exact_vae(MODEL, scale_factor=1.3)
    dataset = tf.data.Dataset.from_tensor_slices(DATA).shuffle(13, seed=1).batch(5)
    gaps = inference_gaps(vae, dataset, num_importance_samples=500, num_steps=100, num_samples=50)
    assert np.abs(gaps.approximation_gap.per_example).max() < 0.5  # other pairs differ by whole nats
    assert np.ptp(LOG_MARGINAL) > 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_samples": 1}, "num_samples"),
        ({"num_steps": -1}, "num_steps"),
        ({"num_step_samples": 0}, "num_step_samples"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"num_importance_samples": 1}, "num_importance_samples"),
        ({"data": DATA[:0]}, "no examples"),
    ],
)
def test_bad_arguments_are_one_clear_error(exact, arguments, message):
    with pytest.raises(ValueError, match=message):
        inference_gaps(exact, **{"data": DATA, **arguments})


def test_other_posteriors_are_refused():
    gain = MODEL.posterior_weights
    encoder = encoder_of(MODEL, layers.IndependentLaplace, gain, np.zeros(2), np.zeros(2))
    with pytest.raises(ValueError, match="normal q"):
        inference_gaps(tfvae.models.VAE(encoder, decoder_of(MODEL)), DATA)
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(12), layers.IndependentNormal((2, 3))])
    decoder = keras.Sequential(
        [keras.Input((2, 3)), keras.layers.Flatten(), keras.layers.Dense(8), layers.IndependentNormal(4)]
    )
    prior = tfd.Independent(tfd.Normal(tf.zeros([2, 3]), 1.0), 2)
    with pytest.raises(ValueError, match="one vector"):
        inference_gaps(tfvae.models.VAE(encoder, decoder, prior=prior), DATA)

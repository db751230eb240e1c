"""The noise of gradients, against estimators whose noise is known."""

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tfvae import estimators, layers
from tfvae.evaluation import GradientNoise, GradientVariance, gradient_variance

X, D, B = 24, 2, 5
DATA = (np.random.default_rng(0).uniform(size=(B, X)) < 0.4).astype("float32")


@pytest.fixture(scope="module")
def vae():
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential(
        [keras.layers.Dense(layers.MultivariateNormalDiag.params_size(D)), layers.MultivariateNormalDiag(D)]
    )
    decoder = keras.Sequential([keras.layers.Dense(X), layers.IndependentBernoulli(X)])
    model = tfvae.models.VAE(encoder, decoder, seed=0)
    decoder.layers[0].kernel.assign(4.0 * decoder.layers[0].kernel)  # so that x tells something of z
    return model


NUM_REPEATS = 100


@pytest.fixture(scope="module")
def measured(vae):
    named = {
        "B": estimators.SGVB(),
        "B of 8": estimators.SGVB(8),
        "score": estimators.ScoreFunction(),
        "score with baseline": estimators.ScoreFunction(baseline=estimators.RunningMean()),
    }
    return gradient_variance(vae, DATA, named, num_repeats=NUM_REPEATS)


def test_numbers_are_those_of_single_gradients(vae, measured):
    """Written out with numpy, one training gradient a repeat."""
    variables = vae.encoder.trainable_variables

    @tf.function
    def gradient(seed):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(vae.estimate(DATA, seed=seed).surrogate_loss)
        return tape.gradient(loss, variables)

    seeds = [tf.random.experimental.stateless_fold_in(tf.constant([0, 0]), r) for r in range(NUM_REPEATS)]
    gradients = [np.concatenate([np.ravel(g) for g in gradient(seed)]).astype("float64") for seed in seeds]
    row = measured.row("B")
    variance = np.var(gradients, axis=0, ddof=1)
    assert row.num_parameters == len(variance)
    np.testing.assert_allclose(row.variance, variance.mean(), rtol=1e-4)
    squared = np.sum(np.mean(gradients, axis=0) ** 2) - variance.sum() / NUM_REPEATS
    np.testing.assert_allclose(row.mean_norm, math.sqrt(squared), rtol=1e-3)
    np.testing.assert_allclose(row.signal_to_noise, math.sqrt(squared / variance.sum()), rtol=1e-3)


def test_eight_draws_have_an_eighth_of_the_variance(measured):
    one, eight = measured.row("B"), measured.row("B of 8")
    error = math.hypot(one.variance_standard_error / 8, eight.variance_standard_error)
    assert abs(eight.variance - one.variance / 8) < 5 * error


def test_pathwise_gradients_are_quieter_than_scores_and_a_baseline_helps(measured):
    variances = [measured.row(name).variance for name in ("B", "score with baseline", "score")]
    assert variances == sorted(variances)


def test_decoder_does_not_care_how_the_encoder_is_differentiated(measured):
    score, pathwise = measured.row("score", "decoder"), measured.row("B", "decoder")
    error = math.hypot(score.variance_standard_error, pathwise.variance_standard_error)
    assert abs(score.variance - pathwise.variance) < 5 * error


@pytest.mark.slow
def test_learned_prior_is_a_group_and_nothing_in_the_model_moves(vae):
    learned = tfvae.models.VAE(vae.encoder, vae.decoder, prior=tfvae.priors.Normal(D), seed=0)
    before = [w.copy() for w in learned.get_weights()]
    found = gradient_variance(learned, DATA, [estimators.SGVB(), estimators.DReG(3)], num_repeats=3)
    assert [row.group for row in found.rows] == ["encoder", "decoder", "prior"] * 2
    for a, b in zip(before, learned.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_table_figure_and_json(measured):
    assert measured.table().count("\n") == 1 + len(measured.rows)
    assert [axes.get_title() for axes in measured.figure().axes] == ["encoder", "decoder"]
    assert json.loads(json.dumps(measured.to_dict(), allow_nan=False))["num_repeats"] == NUM_REPEATS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_repeats": 1}, "`num_repeats` must be an integer of at least 2. Received: num_repeats=1"),
        ({"estimators": []}, "at least one estimator"),
        ({"x": DATA[:, :2]}, "event shape"),
    ],
)
def test_errors(vae, arguments, message):
    with pytest.raises(ValueError, match=message):
        gradient_variance(vae, **{"x": DATA, "estimators": [estimators.SGVB()], **arguments})


@pytest.mark.parametrize("signal", [0.0, 0.3, 5.0])
def test_standard_errors_cover_the_truth(signal):
    """Gradients drawn here, of a known mean and variance: the errors say how far estimates are off."""
    rng, size, repeats, times = np.random.default_rng(0), 20, 30, 400
    mean = signal * rng.normal(size=size) / math.sqrt(size)
    deviation = rng.uniform(0.2, 1.5, size)
    norm, variance = math.sqrt(np.sum(mean**2)), np.sum(deviation**2)
    rows = []
    for _ in range(times):
        gradients = mean + deviation * rng.normal(size=(repeats, size))
        m = gradients.mean(axis=0)
        squares, products = np.sum((gradients - m) ** 2, axis=1), gradients @ m
        rows.append(GradientNoise.of("any", "encoder", size, float(m @ m), squares, products))
    for name, truth in (
        ("mean_norm", norm),
        ("variance", variance / size),
        ("signal_to_noise", norm / math.sqrt(variance)),
    ):
        found = np.array([getattr(row, name) for row in rows])
        errors = np.array([getattr(row, f"{name}_standard_error") for row in rows])
        assert np.mean(np.abs(found - truth) < 3 * errors) > 0.95, name
        if signal == 5.0 or name == "variance":  # where nothing is cut off at zero
            assert 0.8 < np.sqrt(np.mean(errors**2)) / found.std() < 1.25, name


def test_standard_errors_by_leaving_out_one_gradient_after_another():
    gradients = np.random.default_rng(1).normal(size=(7, 5)) + np.arange(5)

    def parts(gradients):
        m = gradients.mean(axis=0)
        return float(m @ m), np.sum((gradients - m) ** 2, axis=1), gradients @ m

    def statistics(gradients):
        norm, squares, _ = parts(gradients)
        variance = squares.sum() / (len(gradients) - 1)
        signal = norm - variance / len(gradients)
        return signal, signal / variance

    row = GradientNoise.of("any", "encoder", 5, *parts(gradients))
    without = np.array([statistics(np.delete(gradients, r, axis=0)) for r in range(7)])
    errors = np.sqrt(6 / 7 * np.sum((without - without.mean(axis=0)) ** 2, axis=0))
    roots = np.sqrt(statistics(gradients))
    np.testing.assert_allclose((row.mean_norm, row.signal_to_noise), roots, rtol=1e-12)
    found = (row.mean_norm_standard_error, row.signal_to_noise_standard_error)
    np.testing.assert_allclose(found, errors / (2 * roots), rtol=1e-10)


def test_gradients_without_noise_and_two_repeats():
    same = np.full((5, 3), 2.0)
    row = GradientNoise.of("any", "encoder", 3, 12.0, np.zeros(5), same @ same[0])
    assert (row.mean_norm, row.variance, row.signal_to_noise) == (math.sqrt(12.0), 0.0, math.inf)
    found = GradientVariance((row,), 5, 1)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["rows"][0]["signal_to_noise"] is None
    assert found.table().splitlines()[-1] == "| any | encoder | 3.464 | 0 | 0 | 0 | no noise | exact |"
    two = GradientNoise.of("any", "encoder", 3, 12.0, np.array([1.0, 1.0]), np.array([12.5, 11.5]))
    assert math.isnan(two.mean_norm_standard_error)
    assert "unknown" in GradientVariance((two,), 2, 1).table()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([estimators.SGVB(), estimators.SGVB()], ValueError, r"dictionary.*two estimators with the name 'SGVB\(\)'"),
        ([estimators.DReG], TypeError, r"Use DReG\(\). Received: estimator=DReG"),
        (estimators.DReG, TypeError, r"Use DReG\(\). Received: estimator=DReG"),
        ("sgvb", TypeError, "Received: estimator='sgvb'"),
        ({"mine": None}, TypeError, "Received: estimator=None"),
    ],
)
def test_what_is_no_list_of_estimators(vae, given, error, message):
    with pytest.raises(error, match=message):
        gradient_variance(vae, DATA, given)


@pytest.mark.slow
def test_one_estimator_by_itself(vae):
    alone, listed = (gradient_variance(vae, DATA, given, num_repeats=3) for given in (ONE, [ONE]))
    assert alone == listed


ONE = estimators.DReG(2)

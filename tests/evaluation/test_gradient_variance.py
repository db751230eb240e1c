"""The noise of gradients, against estimators whose noise is known."""

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tfvae import estimators, layers
from tfvae.evaluation import gradient_variance

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


@pytest.fixture(scope="module")
def measured(vae):
    named = {
        "A": estimators.SGVB(kl="monte_carlo"),
        "B": estimators.SGVB(),
        "B of 8": estimators.SGVB(8),
        "score": estimators.ScoreFunction(),
        "score with baseline": estimators.ScoreFunction(baseline=estimators.RunningMean()),
    }
    return gradient_variance(vae, DATA, named, num_repeats=300)


@pytest.mark.sampled(1)
def test_numbers_are_those_of_single_gradients(vae, measured):
    """Written out with numpy, one training gradient a repeat."""
    variables = vae.encoder.trainable_variables

    @tf.function
    def gradient(seed):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(vae.estimate(DATA, seed=seed).surrogate_loss)
        return tape.gradient(loss, variables)

    seeds = [tf.random.experimental.stateless_fold_in(tf.constant([0, 0]), r) for r in range(300)]
    gradients = [np.concatenate([np.ravel(g) for g in gradient(seed)]).astype("float64") for seed in seeds]
    row = measured.row("B")
    variance = np.var(gradients, axis=0, ddof=1)
    assert row.num_parameters == len(variance)
    np.testing.assert_allclose(row.variance, variance.mean(), rtol=1e-4)
    squared = np.sum(np.mean(gradients, axis=0) ** 2) - variance.sum() / 300
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
    score, pathwise = measured.row("score", "decoder"), measured.row("A", "decoder")
    error = math.hypot(score.variance_standard_error, pathwise.variance_standard_error)
    assert abs(score.variance - pathwise.variance) < 5 * error


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
    assert json.loads(json.dumps(measured.to_dict(), allow_nan=False))["num_repeats"] == 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_repeats": 1}, "num_repeats is a whole number, at least 2. Received: 1"),
        ({"estimators": []}, "at least one estimator"),
        ({"x": DATA[:, :2]}, "event shape"),
    ],
)
def test_errors(vae, arguments, message):
    with pytest.raises(ValueError, match=message):
        gradient_variance(vae, **{"x": DATA, "estimators": [estimators.SGVB()], **arguments})

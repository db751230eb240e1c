"""Appendix F's model, and log p(x) under a posterior over the weights."""

import dataclasses
import importlib

import numpy as np
import pytest

from tfvae.papers.kingma_welling_2013.appendix_f import build_variational_vae, predictive_log_marginal
from tfvae.papers.kingma_welling_2013.budgets import BUDGETS
from tfvae.papers.kingma_welling_2013.training import log_marginal


@pytest.fixture(scope="module")
def test_set(digits):
    return digits.test.thresholded()


def test_first_weights_are_the_papers(test_set):
    vae = build_variational_vae(test_set.event_shape, num_train=100, seed=0)
    layer = vae.decoder.layers[0]
    means = np.concatenate([np.ravel(weight) for weight in layer.network.trainable_variables])
    np.testing.assert_allclose(means.var(), 0.01, rtol=5 * (2 / means.size) ** 0.5)
    # The penalties: KL(q(theta) || p(theta)) / N for the decoder, MAP for the encoder.
    encoder = sum(np.sum(0.5 * weight.numpy() ** 2) for weight in vae.encoder.trainable_variables)
    np.testing.assert_allclose(float(sum(vae.losses)), (float(layer.kl()) + encoder) / 100, rtol=1e-5)


@pytest.mark.slow
def test_weights_without_spread_leave_log_p_as_it_is(test_set):
    vae = build_variational_vae(test_set.event_shape, num_train=100, seed=0)
    for raw_scale in vae.decoder.layers[0]._raw_scales:
        raw_scale.assign(raw_scale - 100.0)  # sigma at its floor, 1e-5
    budget = dataclasses.replace(BUDGETS["standard"], num_marginal=20, num_weight_draws=3)
    expected = log_marginal(vae, test_set, 20, budget.chains, 0)
    found = predictive_log_marginal(vae, test_set, budget, 0)
    np.testing.assert_allclose(found.mean(), expected.mean, atol=5 * 2**0.5 * expected.monte_carlo_standard_error)
    assert expected.monte_carlo_standard_error < 0.05


def test_mean_is_over_probabilities_not_over_their_logarithms(test_set, monkeypatch):
    vae = build_variational_vae(test_set.event_shape, num_train=100, seed=0)
    values = iter(np.log([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0]]))
    monkeypatch.setattr(
        importlib.import_module(build_variational_vae.__module__), "_log_marginal", lambda *_: next(values)
    )
    found = predictive_log_marginal(vae, test_set, BUDGETS["standard"], 0)
    np.testing.assert_allclose(found, np.log(4.5))

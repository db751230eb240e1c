"""The log-likelihood of independent distributions, against SciPy's, and the sentence about models below it."""

import re

import numpy as np
import pytest
import scipy.stats

from tfvae.evaluation import independent_log_likelihood
from tfvae.evaluation.baseline import baseline_warning

RNG = np.random.default_rng(0)


def test_normals_are_scipys():
    train, test = (RNG.normal([3e6, -1e-7], [2e5, 1e-9], (n, 2)).astype("float32") for n in (50, 20))
    found = independent_log_likelihood(train, test, "normal")
    mean, stddev = train.mean(axis=0, dtype="float64"), train.std(axis=0, dtype="float64")
    np.testing.assert_allclose(found.per_example, scipy.stats.norm.logpdf(test, mean, stddev).sum(axis=1), rtol=1e-6)
    assert found.mean == pytest.approx(found.per_example.mean())
    assert found.to_dict()["num_constant"] == 0


def test_bernoullis_are_scipys_and_never_impossible():
    train, test = (RNG.integers(0, 2, (n, 2, 3, 1)).astype("float32") for n in (31, 20))
    train[:, 1, 1] = 0.0  # and yet there are ones in `test`
    found = independent_log_likelihood(train, test, "bernoulli")
    probability = (train.sum(axis=0) + 0.5) / 32
    expected = scipy.stats.bernoulli.logpmf(test.astype(int), probability).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(found.per_example, expected, rtol=1e-6)


def test_constant_values_count_as_unit_normals():
    train, test = RNG.normal(size=(50, 3)), RNG.normal(size=(20, 3))
    train[:, 1] = 7.0
    found = independent_log_likelihood(train, test, "normal")
    mean, stddev = train.mean(axis=0), [train[:, 0].std(), 1.0, train[:, 2].std()]
    np.testing.assert_allclose(found.per_example, scipy.stats.norm.logpdf(test, mean, stddev).sum(axis=1), rtol=1e-6)
    assert found.to_dict()["num_constant"] == 1


@pytest.mark.parametrize(
    ("elbo", "log_marginal", "said"),
    [(-4.0, -3.0, None), (-6.0, -5.5, "below.*`--epochs`"), (-6.0, -4.0, "though log p"), (None, None, None)],
)
def test_a_model_below_the_baseline_is_warned_of(elbo, log_marginal, said):
    report = {"elbo": {"mean": elbo}, "log_marginal": {"mean": log_marginal}}
    assert baseline_warning(report) is None  # of an earlier version
    warning = baseline_warning({**report, "baseline": {"mean": -5.0, "family": "normal"}})
    assert warning is None if said is None else re.search(said, warning)

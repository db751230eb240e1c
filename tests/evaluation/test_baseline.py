"""The log-likelihood of independent distributions, against SciPy's, and the sentence about models below it."""

import re

import numpy as np
import pytest
import scipy.stats

from tfvae.evaluation import (
    Record,
    bits_per_dim,
    independent_columns_log_likelihood,
    independent_log_likelihood,
    independent_log_likelihood_by_column,
)
from tfvae.evaluation.baseline import above_baseline, baseline_warning
from tfvae.evaluation.report import report_dict, report_markdown
from tfvae.tables import Column, Schema

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


def test_columns_have_the_distributions_of_their_kinds():
    schema = Schema([Column("height", "real"), Column("income", "positive"), Column("colour", "category", ("r", "g"))])
    rng = np.random.default_rng(1)
    train, test = (
        np.stack([rng.normal(170, 10, n), rng.lognormal(7, 0.5, n), rng.random(n) < 0.3], axis=1).astype("float32")
        for n in (2000, 30)
    )
    train[::7, 0] = test[3:5, 1] = test[::4, 2] = np.nan
    found = independent_columns_log_likelihood(train, test, schema)
    height, income, colour = (column[~np.isnan(column)].astype("float64") for column in train.T)
    of_colour = np.log(np.where(test[:, 2] == 1, colour.mean(), 1 - colour.mean()))
    expected = np.stack(
        [
            scipy.stats.norm.logpdf(test[:, 0], height.mean(), height.std()),
            scipy.stats.lognorm.logpdf(test[:, 1], np.log(income).std(), scale=np.exp(np.log(income).mean())),
            of_colour,
        ],
        axis=1,
    )
    expected = np.where(np.isnan(test), 0.0, expected)
    by_column = np.where(np.isnan(test), 0.0, independent_log_likelihood_by_column(train, test, schema))
    np.testing.assert_allclose(by_column[:, 2], expected[:, 2], atol=1e-3)
    # A mixture is fitted to numbers, which are normal and log-normal here.
    np.testing.assert_allclose(by_column[:, :2].mean(axis=0), expected[:, :2].mean(axis=0), atol=0.03)
    np.testing.assert_allclose(found.per_example, by_column.sum(axis=1), rtol=1e-5)
    assert found.to_dict()["family"] == "table"


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


def test_a_difference_within_its_error_is_no_reason_for_a_warning():
    baseline = Record("baseline", "nats", np.array([-9.0, -1.0, -5.0, -7.0]), np.zeros(4), {"family": "table"})
    elbo = Record("elbo", "nats", np.array([-9.4, -0.8, -5.4, -6.8]), np.full(4, 0.04))
    above = above_baseline(elbo, baseline)
    assert above.mean == pytest.approx(-0.1)
    assert above.standard_error == pytest.approx(np.sqrt(0.12 / 4))
    assert above.monte_carlo_standard_error == pytest.approx(0.1)
    records = {"elbo": elbo, "baseline": baseline, "above_baseline": above, "log_marginal": elbo}
    report = {name: record.to_dict() for name, record in records.items()}
    assert baseline_warning(report) is None
    report["above_baseline"]["standard_error"] = 0.04
    assert "is below that of independent distributions" in baseline_warning(report)


def report_of(elbo):
    """A report with every number -4.0 but for the ELBO."""
    values, zeros = np.full(5, -4.0), np.zeros(5)
    numbers = {"num_samples": 3, "log_likelihood": -4.0, "kl": 0.0}
    log_marginal = Record(
        "log_marginal", "nats", values, zeros, {"num_importance_samples": 3, "num_above_threshold": None}
    )
    return report_dict(
        Record("elbo", "nats", np.full(5, elbo), zeros, numbers),
        log_marginal,
        bits_per_dim(log_marginal, 2),
        {
            "baseline": Record("baseline", "nats", values, zeros, {"family": "normal", "num_constant": 2}).to_dict(),
            "choices": [{"name": "values", "value": "standardised", "option": "--standardize off"}],
            "title": "own",
            "split": "own/test",
            "num_parameters": 7,
            "epochs": 1,
            "training_seconds": 2.0,
            "note": "The data are continuous.",
        },
    )


def test_reports_show_the_baseline_what_was_decided_and_the_warning():
    good, bad = report_markdown(report_of(-3.0), []), report_markdown(report_of(-5.0), [])
    for markdown in (good, bad):
        assert "| baseline: independent normals | -4.000 ± 0.000 | exact | nats |" in markdown
        assert "| values | standardised | --standardize off |" in markdown
        assert "2 values are constant in all training examples." in markdown
    assert "**Warning: The test ELBO, -5.00 nats, is below" in bad
    assert "Warning" not in good

"""The log-likelihood of a model without latents, in which all values of an example are independent."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from tfvae.evaluation.record import Record
from tfvae.layers import SizedNegativeBinomial, TableLikelihood
from tfvae.tables import Schema

_NUM_ROWS = 500
_LOG_2_PI = float(np.log(2.0 * np.pi))


def independent_log_likelihood(train: np.ndarray, test: np.ndarray, family: Literal["normal", "bernoulli"]) -> Record:
    """Computes the log-likelihood of test examples under independent distributions, fitted to training data.

    A VAE that does not exceed it has learned nothing about the dependence between values. Missing values, which are
    NaN, are left out.

    Args:
        train: Examples `[N, *event]`, in the form that the model's likelihood takes.
        test: Examples `[M, *event]`.
        family: "normal", with mean and standard deviation of the training examples, or "bernoulli", with the
            probability (k + 1/2) / (n + 1) for k ones among n observed values, which is never 0 or 1.

    Returns:
        A `Record` named "baseline", in nats per example; its diagnostics are the family and the number of values that
        are constant over the training examples. The standard deviation of such a value is set to 1.

    References:
        Krichevsky & Trofimov, The performance of universal encoding, 1981, for the probability.
    """
    axes = tuple(range(1, train.ndim))
    train_seen, seen, x = ~np.isnan(train), ~np.isnan(test), test.astype(np.float64)
    counts = train_seen.sum(axis=0)
    mean = train.sum(axis=0, dtype=np.float64, where=train_seen) / np.maximum(counts, 1)
    if family == "bernoulli":
        probability = (mean * counts + 0.5) / (counts + 1.0)
        each = x * np.log(probability) + (1.0 - x) * np.log1p(-probability)
        constant = np.zeros(mean.shape, bool)
    else:
        squares = np.square(train - mean).sum(axis=0, where=train_seen)
        stddev = np.sqrt(squares / np.maximum(counts, 1))
        constant = stddev <= np.finfo(np.float32).eps * np.abs(mean)
        scale = np.where(constant, 1.0, stddev)
        each = -0.5 * np.square((x - mean) / scale) - np.log(scale) - 0.5 * _LOG_2_PI
    per_example = each.sum(axis=axes, where=seen)
    return _record(per_example, family, int(constant.sum()))


def independent_columns_log_likelihood(train: np.ndarray, test: np.ndarray, schema: Schema) -> Record:
    """Computes the log-likelihood of test rows under independent columns, fitted to the training rows of a table.

    Each column has the distribution of its kind in `tfvae.layers.TableLikelihood`, with the parameters from which a
    model of the table starts: about those of its marginal distribution.

    Args:
        train: Rows `[N, D]`, NaN at missing values.
        test: Rows `[M, D]`.
        schema: The columns.

    Returns:
        A `Record` named "baseline", as that of `independent_log_likelihood`, of the family "table".
    """
    each = independent_log_likelihood_by_column(train, test, schema)
    per_example = np.asarray(np.nansum(each, axis=1, dtype=np.float64))
    constant = [np.unique(column[~np.isnan(column)]).size < 2 for column in train.T]
    return _record(per_example, "table", int(np.sum(constant)))


def independent_log_likelihood_by_column(train: np.ndarray, test: np.ndarray, schema: Schema) -> np.ndarray:
    """Computes the terms of `independent_columns_log_likelihood`: log p(x_j) `[M, D]`, NaN at missing values."""
    layer = TableLikelihood(schema)
    layer.adapt(train)
    columns = layer(np.zeros([1, TableLikelihood.params_size(schema)], np.float32))
    seen = ~np.isnan(test)
    some = columns.mode().numpy()  # a valid value, in the place of missing ones
    each = columns.log_prob_by_column(np.where(seen, test, some).astype(np.float32)).numpy()
    return np.where(seen, each, np.nan)


def sized_counts_log_likelihood(train: np.ndarray, test: np.ndarray) -> Record:
    """Computes the log-likelihood of rows of counts under independent negative binomials, given the sizes of the rows.

    Each column has the share of all counts, and the dispersion, that fit the training rows, as a model with
    `tfvae.layers.SizedNegativeBinomial` has them at its start. All rows then have the same proportions.

    Args:
        train: Counts `[N, D]`.
        test: Counts `[M, D]`.

    Returns:
        A `Record` named "baseline", as that of `independent_log_likelihood`, of the family "counts".
    """
    layer = SizedNegativeBinomial(train.shape[1])
    layer.adapt(train)
    per_example = np.empty(len(test))
    for start in range(0, len(test), _NUM_ROWS):
        x = np.asarray(test[start : start + _NUM_ROWS], np.float32)
        sizes = np.maximum(x.sum(axis=1, keepdims=True), 1.0)
        per_example[start : start + len(x)] = layer(np.concatenate([np.zeros_like(x), sizes], axis=1)).log_prob(x)
    return _record(per_example, "counts", int((train.max(axis=0) == train.min(axis=0)).sum()))


def _record(per_example: np.ndarray, family: str, num_constant: int) -> Record:
    return Record(
        name="baseline",
        unit="nats",
        per_example=per_example,
        monte_carlo_variance=np.zeros_like(per_example),
        diagnostics={"family": family, "num_constant": num_constant},
    )


def above_baseline(elbo: Record, baseline: Record) -> Record:
    """Returns how far the ELBO is above the baseline, with the standard error of the difference.

    Both are of the same examples, of which some are more probable than others under any model. The differences of
    single examples vary less than that, and so their mean has a smaller error than either number.
    """
    return Record(
        name="above_baseline",
        unit="nats",
        per_example=elbo.per_example - baseline.per_example,
        monte_carlo_variance=elbo.monte_carlo_variance + baseline.monte_carlo_variance,
    )


def baseline_warning(report: Mapping[str, Any]) -> str | None:
    """Returns a warning if the test ELBO is below the baseline by more than two standard errors, else None."""
    baseline, elbo = report.get("baseline"), report["elbo"]["mean"]  # reports of earlier versions have no baseline
    if baseline is None or elbo is None or elbo >= baseline["mean"]:
        return None
    error = report.get("above_baseline", {}).get("standard_error")
    if error is not None and baseline["mean"] - elbo <= 2.0 * error:  # too few examples to tell
        return None
    log_marginal = report["log_marginal"]["mean"]
    is_below = log_marginal is None or log_marginal < baseline["mean"]
    families = {"normal": "normal ", "bernoulli": "Bernoulli ", "table": "", "counts": "negative binomial "}
    family = families[baseline["family"]]
    return (
        f"The test ELBO, {elbo:.2f} nats, is below that of independent {family}distributions fitted to each value of "
        f"the training data, {baseline['mean']:.2f} nats"
        + (". " if is_below else ", though log p(x) is not. ")
        + "The model says no more about new data than the mean and spread of each value do. If the training ELBO is "
        "low too, train longer (`--epochs`); if it is much higher, the model overfits: use more data, fewer epochs "
        "or a smaller model (`--hidden`, `--latent-size`)."
    )

"""Appendix F: variational Bayes for the weights as well, with an experiment that is not in the paper."""

import contextlib
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from matplotlib.figure import Figure

from tfvae import layers
from tfvae.data import Split
from tfvae.models import VAE
from tfvae.papers.curves import Curve, Pilots, decades, trained_curve
from tfvae.papers.job import Job
from tfvae.papers.kingma_welling_2013.algorithm_1 import (
    BATCH_SIZE,
    ESTIMATORS,
    LEARNING_RATES,
    AlgorithmOne,
    DenseLayers,
    build_encoder,
    build_vae,
)
from tfvae.papers.kingma_welling_2013.budgets import Budget
from tfvae.papers.kingma_welling_2013.data_sets import mnist
from tfvae.papers.kingma_welling_2013.training import (
    bound,
    chain_settings,
    first,
    log_marginal,
    mean_and_error,
    settings,
)
from tfvae.papers.result import Claim, Result, Setting

LATENT_SIZE, HIDDEN = 3, 100  # figure 3's
_NAMES = {"map": "MAP", "variational": "full variational Bayes"}
_FIRST_POINT = 10_000

Curves = Mapping[int, Mapping[str, Curve]]  # by training set size, then "map" or "variational"


def appendix_f(job: Job, budget: Budget) -> Result:
    """Test log-likelihood by training set size, for a posterior over the weights and for the most probable weights."""
    curves = {
        size: {kind: _curve(job, budget, kind, size) for kind in _NAMES} for size in budget.weights_training_sizes
    }
    return Result(
        title="Appendix F: full variational Bayes",
        settings=[
            *settings([mnist()], [LATENT_SIZE], str(HIDDEN), budget, budget.weights_num_samples),
            Setting("N", "training images", "Budget.weights_training_sizes", ", ".join(f"{n:,}" for n in curves)),
            Setting(
                "q(theta)",
                "posterior on the decoder's weights, in place of MAP",
                "VariationalWeights",
                "diagonal normal",
            ),
            Setting("", "draws of the weights, of log p(x)", "Budget.num_weight_draws", str(budget.num_weight_draws)),
            *chain_settings(budget),
        ],
        numbers={f"N={size}": {kind: curve.to_dict() for kind, curve in pair.items()} for size, pair in curves.items()},
        claims=[_claim(curves)],
        tables={"log p(x) of the test set at the end, nats": _table(curves)},
        figures={"": _figure(curves)},
        remarks=[
            "The paper derives the estimator (equations 19 to 24) and reports no experiment. That variational Bayes "
            "reduces overfitting of small training sets is an expectation, not a claim of the paper.",
            "log p(x) under q(theta) is the logarithm of the mean of p(x|theta) over draws of theta, each by the "
            "estimator of appendix D. The logarithm of a mean over few draws is too low on average, which favours MAP.",
            _remark(curves),
        ],
    )


def build_variational_vae(event_shape: tuple[int, ...], *, num_train: int, seed: int) -> VAE:
    """Builds the model of figure 3 with a posterior over the decoder's weights and the same encoder as for MAP."""
    dense = DenseLayers(None, seed)
    body = keras.Sequential(
        [dense(HIDDEN, "tanh"), dense(layers.IndependentBernoulli.params_size(event_shape))], name="body"
    )
    decoder = keras.Sequential(
        [
            keras.Input([LATENT_SIZE]),
            layers.VariationalWeights(body, num_train, seed=seed),
            layers.IndependentBernoulli(event_shape),
        ],
        name="decoder",
    )
    encoder = build_encoder(DenseLayers(num_train, seed + 1), LATENT_SIZE, HIDDEN)
    return VAE(encoder, decoder, estimator=ESTIMATORS["aevb"], seed=seed)


def _weights_of(vae: VAE) -> layers.VariationalWeights:
    return vae.decoder.layers[0]


def predictive_log_marginal(vae: VAE, split: Split, budget: Budget, seed: int) -> np.ndarray:
    """Computes log E_q(theta)[p(x|theta)] of the first examples, `[N]` in nats."""
    draws = []
    for i in range(budget.num_weight_draws):
        with _weights_of(vae).drawn(seed=seed + i):
            draws.append(_log_marginal(vae, split, budget, seed))
    return np.logaddexp.reduce(draws, axis=0) - np.log(budget.num_weight_draws)


def _log_marginal(vae: VAE, split: Split, budget: Budget, seed: int) -> np.ndarray:
    record = log_marginal(vae, split, budget.num_marginal, budget.chains, seed)
    return np.full(budget.num_marginal, np.nan) if record is None else record.per_example.astype(np.float64)


def _curve(job: Job, budget: Budget, kind: str, num_train: int) -> Curve:
    data_set = first(mnist(), num_train)
    event_shape, is_map = data_set.train.event_shape, kind == "map"

    def make_learner() -> AlgorithmOne:
        vae = (
            build_vae(
                event_shape,
                likelihood="bernoulli",
                latent_size=LATENT_SIZE,
                hidden=HIDDEN,
                num_train=num_train,
                estimator=ESTIMATORS["aevb"],
                seed=job.seed,
            )
            if is_map
            else build_variational_vae(event_shape, num_train=num_train, seed=job.seed)
        )
        return AlgorithmOne(vae, data_set.train, seed=job.seed, jit_compile=budget.jit_compile)

    def measure(vae: VAE) -> dict[str, Any]:
        estimate = _log_marginal if is_map else predictive_log_marginal
        values = estimate(vae, data_set.test, budget, job.seed)
        numbers = {
            "test": float(np.mean(values, dtype=np.float64)),
            "test_standard_error": float(np.std(values, ddof=1, dtype=np.float64) / np.sqrt(len(values))),
        }
        return numbers if is_map else {**numbers, "kl_of_weights": float(_weights_of(vae).kl())}

    def score(vae: VAE) -> float:
        """Computes the objective: the bound of the training images, with the prior or the KL of the weights."""
        bounds = []
        for i in range(1 if is_map else budget.num_weight_draws):
            with contextlib.nullcontext() if is_map else _weights_of(vae).drawn(seed=job.seed + i):
                record = bound(vae, data_set.train.take(1_000), batch_size=500, seed=job.seed)
            bounds.append(mean_and_error("bound", record)["bound"])
        return float(np.mean(bounds)) - float(sum(vae.losses))

    return trained_curve(
        job,
        f"mnist-weights-{kind}-n{num_train}",
        make_learner,
        measure,
        at=decades(_FIRST_POINT, budget.weights_num_samples, 1, BATCH_SIZE),
        setup={"num_marginal": budget.num_marginal, "num_weight_draws": budget.num_weight_draws, **budget.chains},
        pilots=Pilots(LEARNING_RATES, budget.pilot_samples, score),
    )


def _claim(curves: Curves) -> Claim:
    smallest, largest = min(curves), max(curves)
    last = {size: {kind: curve.points[-1]["test"] for kind, curve in pair.items()} for size, pair in curves.items()}
    gain = {size: values["variational"] - values["map"] for size, values in last.items()}
    differences = ", ".join(f"{value:+.2f} (N = {size:,})" for size, value in gain.items())
    return Claim(
        f"A posterior over the weights helps with few data: with {smallest:,} images its test log p(x) is above "
        f"MAP's, by more than with {largest:,}.",
        gain[smallest] > 0.0 and gain[smallest] > gain[largest],  # no NaN passes
        f"Full variational Bayes minus MAP, nats: {differences}.",
    )


def _remark(curves: Curves) -> str:
    """Reports the KL of q(theta) from its prior. While it is large, it dominates the bound."""
    costs = [
        f"{pair['variational'].points[-1]['kl_of_weights'] / size:,.1f} nats per image with {size:,} images"
        for size, pair in curves.items()
    ]
    return (
        "q(theta) starts with a standard deviation of 0.01, far from its prior N(0, I), and approaches it while it is "
        f"trained. At the end KL(q(theta) || p(theta)) / N is {', '.join(costs)}."
    )


def _table(curves: Curves) -> str:
    lines = [
        "| N | MAP | full variational Bayes | best MAP | best full variational Bayes |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for size, pair in curves.items():
        points = [pair[kind].points[-1] for kind in _NAMES]
        last = [f"{point['test']:.2f} ± {point['test_standard_error']:.2f}" for point in points]
        best = [f"{max(pair[kind].column('test')):.2f}" for kind in _NAMES]
        lines.append(f"| {size:,} | {' | '.join([*last, *best])} |")
    return "\n".join(lines)


def _figure(curves: Curves) -> Figure:
    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    axes = figure.add_subplot()
    for kind, name in _NAMES.items():
        last = [pair[kind].points[-1] for pair in curves.values()]
        errors = [point["test_standard_error"] for point in last]
        axes.errorbar(list(curves), [point["test"] for point in last], errors, marker="o", capsize=3, label=name)
    axes.set(xscale="log", xlabel="training images", ylabel="log p(x) of the test set, nats")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return figure

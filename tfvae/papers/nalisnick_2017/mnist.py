"""MNIST: -log p(x) and nearest neighbours in the latent space, for four posteriors."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from sklearn.neighbors import KNeighborsClassifier

from tfvae import data, evaluation
from tfvae.data import Split
from tfvae.evaluation._latents import encodings
from tfvae.evaluation._shares import features, has_shares
from tfvae.layers.stick_breaking import shares_of
from tfvae.models import VAE
from tfvae.papers.curves import Curve, trained_curve
from tfvae.papers.in_memory import in_memory
from tfvae.papers.job import Job
from tfvae.papers.nalisnick_2017.budgets import BUDGETS, Budget
from tfvae.papers.nalisnick_2017.models import (
    ACTIVATION,
    ALPHA0,
    BATCH_SIZE,
    LEARNING_RATE,
    ROWS,
    Row,
    build_vae,
)
from tfvae.papers.nalisnick_2017.report import NEIGHBORS, claims_of, likelihood_table, neighbors_table, settings_of
from tfvae.papers.result import Result
from tfvae.papers.scheduled_learner import PassesLearner

_PASSES_PER_STRETCH = 5  # each stretch has its own order of the examples
Features = Callable[[VAE, Split, int], np.ndarray]


def mnist(job: Job, budget: Budget) -> Result:
    """Trains the models of all rows, and measures -log p(x) and the errors of nearest neighbours."""
    found = {row.name: _curve(job, budget, row) for row in ROWS}
    last = {name: curve.points[-1] for name, curve in found.items()}
    return Result(
        title="MNIST: -log p(x) and nearest neighbours",
        settings=settings_of(budget),
        numbers={name: curve.to_dict() for name, curve in found.items()},
        claims=claims_of(last, is_quick=budget == BUDGETS["quick"]),
        tables={
            "-log p(x) of the test images, nats; effective number of dimensions": likelihood_table(found),
            "Error of k nearest neighbours on the test images, per cent": neighbors_table(last),
        },
        remarks=[
            "Neighbours are found among one draw of the latents of each training image, as the numbers of the paper "
            "suggest: a draw for the Gaussian model, the shares of a draw of the sticks for the others. The posterior "
            "means of the Gaussian model are much better features than its draws, as the last rows show.",
            "The paper does not say everything. Ours are: "
            f"alpha0 = {ALPHA0:g}, {ACTIVATION} units, minibatches of {BATCH_SIZE}, the KL where the paper cuts a "
            "series, gamma variables with implicit gradients where the paper approximates the inverse of their "
            "distribution function, posteriors of sticks that are parametrised by medians or means and widths, shares "
            "that are multiplied by their number before the decoder, and a learning rate that falls as a cosine, not "
            "early stopping, so that the 5,000 validation images are not used. For the Gaussian model, an earlier "
            "version of the paper has 93.93 nats.",
            "For gray values, log p(x) is a cross-entropy and no density, so that it can be compared only with models "
            "that are measured in this way.",
        ],
    )


@functools.cache
def images() -> tuple[Split, Split]:
    """Loads MNIST: 60,000 training images, of which the paper trains with 45,000, and 10,000 test images."""
    return in_memory(data.load("mnist"))


def _curve(job: Job, budget: Budget, row: Row) -> Curve:
    train, test = (part.take(size) for part, size in zip(images(), (budget.num_train, budget.num_test), strict=True))

    def measure(vae: VAE) -> dict[str, Any]:
        record = evaluation.log_marginal(
            vae, test.x, num_importance_samples=budget.num_importance_samples, batch_size=500, seed=job.seed
        )
        used = evaluation.effective_dimensions(vae, test, seed=job.seed).to_dict() if has_shares(vae) else None
        return {
            "negative_log_likelihood": -record.mean,
            "standard_error": record.standard_error,
            "elbo": evaluation.elbo(vae, test.x, num_samples=10, batch_size=500, seed=job.seed).mean,
            "errors_of_draws": _errors(vae, train, test, _drawn, job.seed),
            "errors_of_means": _errors(vae, train, test, _means, job.seed),
            "effective_dimensions": used,
        }

    return trained_curve(
        job,
        row.name,
        lambda: PassesLearner(
            build_vae(row, train, budget.num_passes, job.seed), train, batch_size=BATCH_SIZE, seed=job.seed
        ),
        measure,
        at=[budget.num_passes * len(train)],
        setup=dataclasses.asdict(budget) | {"alpha0": ALPHA0, "learning_rate": LEARNING_RATE, "batch_size": BATCH_SIZE},
        most_unsaved=_PASSES_PER_STRETCH * len(train),
    )


def _drawn(vae: VAE, split: Split, seed: int) -> np.ndarray:
    z = encodings(vae, split.x, batch_size=1_000, seed=seed)
    return np.asarray(shares_of(tf.constant(z))) if has_shares(vae) else z


def _means(vae: VAE, split: Split, seed: int) -> np.ndarray:
    return features(vae, split.x, num_samples=20, batch_size=1_000, seed=seed)


def _errors(vae: VAE, train: Split, test: Split, features_of: Features, seed: int) -> dict[str, float]:
    """Returns the errors of k nearest neighbours in per cent, by k."""
    of_train, of_test = features_of(vae, train, seed), features_of(vae, test, seed + 1)
    classifiers = {k: KNeighborsClassifier(k).fit(of_train, train.labels) for k in NEIGHBORS}
    return {
        str(k): 100.0 * float(np.mean(classifier.predict(of_test) != np.asarray(test.labels)))
        for k, classifier in classifiers.items()
    }

"""Training of the models of table 1."""

from typing import Any

import numpy as np

from tfvae.data import Split
from tfvae.data.classes import with_few_labels
from tfvae.models import VAE, load_model
from tfvae.papers.curves import Curve, trained_curve
from tfvae.papers.job import Job
from tfvae.papers.kingma_2014 import augmentation, networks
from tfvae.papers.kingma_2014.augmentation import augmented, joined
from tfvae.papers.kingma_2014.budgets import Budget
from tfvae.papers.kingma_2014.data_sets import mnist
from tfvae.papers.kingma_2014.passes import BATCH_SIZE, NUM_LABELLED, Passes
from tfvae.recipes import latent_split, stacked

PASSES_PER_STRETCH = 5
LABELLED_PER_PASS = 5_000  # labelled images, changed at random, whose latents the second model of M1+M2 gets
M1_LEARNING_RATE, M2_LEARNING_RATE = 1e-3, 2e-3
_FEW_LABELS = {
    "num_labelled": NUM_LABELLED,
    "learning_rate": M2_LEARNING_RATE,
    "latent_size": networks.LATENT_SIZE,
    "classification_weight": networks.CLASSIFICATION_WEIGHT,
    "augmentation": [augmentation.ROTATION, augmentation.SHIFT, augmentation.ZOOM],
}


def train_split(budget: Budget) -> Split:
    """Returns the training images."""
    return mnist()[0].take(budget.num_train)


def test_split(budget: Budget) -> Split:
    """Returns the test images, as gray values."""
    return mnist()[1].take(budget.num_test)


def m1_curve(job: Job, budget: Budget) -> Curve:
    """Trains M1 on all training images, binarised again in every pass."""
    train = train_split(budget)

    def make() -> Passes:
        return Passes(
            networks.m1_of_images(job.seed),
            lambda passes, seed: (
                train.batches(BATCH_SIZE, shuffle=True, binarize="dynamic", seed=seed, drop_remainder=True),
                passes,
            ),
            num_examples=len(train),
            num_passes=budget.m1_passes,
            steps_per_pass=len(train) // BATCH_SIZE,
            learning_rate=M1_LEARNING_RATE,
            seed=job.seed,
        )

    def measure(vae: VAE) -> dict[str, Any]:
        return {"elbo": float(np.mean(vae.elbo(test_split(budget).binarized(0).take(1_000).x, seed=0)))}

    return _curve(
        job, "m1", make, measure, budget.m1_passes, budget, {"beta": networks.M1_BETA, "hidden": networks.M1_HIDDEN}
    )


def stacked_curve(job: Job, budget: Budget, m1: VAE, num_labels: int, draw: int) -> Curve:
    """Trains the second model of M1+M2 on draws of the latents of M1, new ones in every stretch of passes.

    The labelled images are changed at random before M1 encodes them.
    """
    few = with_few_labels(train_split(budget), num_labels, draw)
    unlabelled = few.rows(np.flatnonzero(np.asarray(few.labels) < 0))

    def batches(passes: int, seed: int) -> tuple[Any, int]:
        changed = augmented(few, max(1, passes * LABELLED_PER_PASS // num_labels), seed)
        drawn = joined(
            latent_split(m1, unlabelled, num_draws=passes, seed=seed), latent_split(m1, changed, seed=seed + 1)
        )
        made = drawn.batches(
            BATCH_SIZE, shuffle=True, seed=seed, labels=True, num_labelled=NUM_LABELLED, drop_remainder=True
        )
        return made, 1

    def make() -> Passes:
        return _semi_supervised(networks.m2_of_latents(draw), batches, few, num_labels, budget.stacked_passes, draw)

    def measure(second: VAE) -> dict[str, Any]:
        return {"error": error_percent(stacked(m1, second), test_split(budget))}

    name = f"m1-m2-{num_labels}-draw{draw}"
    own = {
        "m1_passes": budget.m1_passes,
        "labelled_per_pass": LABELLED_PER_PASS,
        "hidden": networks.STACKED_HIDDEN,
        "classifier": [*networks.CLASSIFIER_HIDDEN, networks.DROPOUT],
        **_FEW_LABELS,
    }
    return _curve(job, name, make, measure, budget.stacked_passes, budget, own)


def m2_curve(job: Job, budget: Budget, num_labels: int, draw: int) -> Curve:
    """Trains M2 on images."""
    few = with_few_labels(train_split(budget), num_labels, draw)

    def batches(passes: int, seed: int) -> tuple[Any, int]:
        made = few.batches(
            BATCH_SIZE, shuffle=True, seed=seed, labels=True, num_labelled=NUM_LABELLED, drop_remainder=True
        )
        return made, passes

    def make() -> Passes:
        return _semi_supervised(networks.m2_of_images(draw), batches, few, num_labels, budget.m2_passes, draw)

    def measure(vae: VAE) -> dict[str, Any]:
        return {"error": error_percent(vae, test_split(budget))}

    own = {
        "hidden": networks.M2_HIDDEN,
        "classifier": [*networks.FILTERS, networks.IMAGE_FEATURES, networks.IMAGE_DROPOUT],
    }
    return _curve(job, f"m2-{num_labels}-draw{draw}", make, measure, budget.m2_passes, budget, {**_FEW_LABELS, **own})


def trained(curve: Curve) -> VAE:
    """Returns the model at the end of a curve."""
    vae = load_model(curve.folder / "vae.keras")
    if not isinstance(vae, VAE):
        raise TypeError(f"{curve.folder} has no VAE. Received: {vae!r}")
    return vae


def error_percent(vae: VAE, split: Split, batch_size: int = 1_000) -> float:
    """Returns the share of wrongly classified images in per cent."""
    x, labels = split.x, np.asarray(split.labels)
    parts = [np.argmax(vae.classify(x[i : i + batch_size]), axis=1) for i in range(0, len(x), batch_size)]
    return 100.0 * float(np.mean(np.concatenate(parts) != labels))


def _semi_supervised(vae: VAE, batches: Any, few: Split, num_labels: int, num_passes: int, seed: int) -> Passes:
    return Passes(
        vae,
        batches,
        num_examples=len(few),
        num_passes=num_passes,
        steps_per_pass=(len(few) - num_labels) // (BATCH_SIZE - NUM_LABELLED),
        learning_rate=M2_LEARNING_RATE,
        seed=seed,
    )


def _curve(job: Job, name: str, make: Any, measure: Any, passes: int, budget: Budget, setup: dict[str, Any]) -> Curve:
    return trained_curve(
        job,
        name,
        make,
        measure,
        at=[passes * budget.num_train],
        setup={"num_train": budget.num_train, "num_test": budget.num_test, **setup},
        most_unsaved=PASSES_PER_STRETCH * budget.num_train,
    )

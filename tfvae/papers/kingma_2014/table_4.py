"""Table 4's claim: the log-likelihood of images is higher given their labels."""

from typing import Any

import keras
import numpy as np

from tfvae import evaluation, layers, networks
from tfvae.data import Split
from tfvae.models import VAE
from tfvae.papers.curves import trained_curve
from tfvae.papers.job import Job
from tfvae.papers.kingma_2014.budgets import Budget
from tfvae.papers.kingma_2014.data_sets import NUM_CLASSES
from tfvae.papers.kingma_2014.networks import IMAGE_SHAPE
from tfvae.papers.kingma_2014.passes import BATCH_SIZE, Passes
from tfvae.papers.kingma_2014.training import test_split, train_split
from tfvae.papers.result import Claim, Result, Setting

LATENT_SIZE, HIDDEN, LEARNING_RATE = 50, (500,), 1e-3


def table_4(job: Job, budget: Budget) -> Result:
    """Trains a conditional and an unconditional model in the same way, and compares log p(x|y) with log p(x)."""
    train = train_split(budget)
    test = test_split(budget).take(budget.num_marginal).binarized(seed=0)
    found = {}
    for is_conditional in (False, True):

        def measure(vae: VAE, is_conditional: bool = is_conditional) -> dict[str, Any]:
            data: Any = {"x": test.x, "condition": _one_hot(test)} if is_conditional else test.x
            record = evaluation.log_marginal(
                vae, data, num_importance_samples=budget.num_importance_samples, seed=job.seed
            )
            return {"log_marginal": record.mean, "standard_error": record.standard_error}

        found[is_conditional] = trained_curve(
            job,
            "density-conditional" if is_conditional else "density",
            lambda is_conditional=is_conditional: _learner(job, budget, train, is_conditional),  # type: ignore[misc]
            measure,
            at=[budget.density_passes * len(train)],
            setup={
                "num_train": len(train),
                "num_marginal": budget.num_marginal,
                "num_importance_samples": budget.num_importance_samples,
            },
            most_unsaved=5 * len(train),
        )
    without, given = (found[each].points[-1] for each in (False, True))
    gain = given["log_marginal"] - without["log_marginal"]
    return Result(
        title="Table 4: log-likelihood with and without labels",
        settings=[
            Setting("z", "dimensions", "LATENT_SIZE", str(LATENT_SIZE)),
            Setting("", "hidden units", "HIDDEN", ", ".join(map(str, HIDDEN))),
            Setting("", "passes over the training images", "Budget.density_passes", str(budget.density_passes)),
            Setting("", "training images", "Budget.num_train", f"{len(train):,}"),
            Setting("", "test images", "Budget.num_marginal", f"{budget.num_marginal:,}"),
            Setting("", "importance samples", "num_importance_samples", f"{budget.num_importance_samples:,}"),
        ],
        numbers={"unconditional": found[False].to_dict(), "conditional": found[True].to_dict()},
        claims=[
            Claim(
                "log p(x|y) of the conditional model is above log p(x) of the model without labels.",
                gain > 0,
                f"{given['log_marginal']:.2f} ± {given['standard_error']:.2f} and {without['log_marginal']:.2f} ± "
                f"{without['standard_error']:.2f} nats: a gain of {gain:.2f}.",
            )
        ],
        remarks=[
            "Both models are trained in the same way on images that are binarised again in every pass. With "
            f"{LATENT_SIZE} latents, {budget.num_importance_samples:,} importance samples are few, and both estimates "
            "are too low for most images."
        ],
    )


def _learner(job: Job, budget: Budget, train: Split, is_conditional: bool) -> Passes:
    few = train
    if is_conditional:
        few = Split(train.raw, train.labels, train.num_levels, name=train.name, condition=_one_hot(train))

    def batches(passes: int, seed: int) -> tuple[Any, int]:
        made = few.batches(BATCH_SIZE, shuffle=True, binarize="dynamic", seed=seed, drop_remainder=True)
        return made, passes

    return Passes(
        build_vae(job.seed, is_conditional),
        batches,
        num_examples=len(train),
        num_passes=budget.density_passes,
        steps_per_pass=len(train) // BATCH_SIZE,
        learning_rate=LEARNING_RATE,
        seed=job.seed,
    )


def build_vae(seed: int, is_conditional: bool) -> VAE:
    """Builds the model of x, or of x given the one-hot label, which encoder and decoder get."""
    keras.utils.set_random_seed(seed)
    likelihood, posterior = layers.IndependentBernoulli, layers.MultivariateNormalDiag
    encoder = networks.mlp(posterior.params_size(LATENT_SIZE), HIDDEN, "softplus")
    decoder = networks.mlp(likelihood.params_size(IMAGE_SHAPE), HIDDEN, "softplus")
    x, z = keras.Input(IMAGE_SHAPE, name="x"), keras.Input((LATENT_SIZE,), name="z")
    if not is_conditional:
        return VAE(
            keras.Model(x, posterior(LATENT_SIZE)(encoder(x))),
            keras.Model(z, likelihood(IMAGE_SHAPE)(decoder(z))),
            seed=seed,
        )
    y = keras.Input((NUM_CLASSES,), name="condition")
    join = keras.layers.Concatenate
    of_x = encoder(join()([keras.layers.Flatten()(x), y]))
    of_z = decoder(join()([z, y]))
    return VAE(
        keras.Model({"x": x, "condition": y}, posterior(LATENT_SIZE)(of_x)),
        keras.Model({"z": z, "condition": y}, likelihood(IMAGE_SHAPE)(of_z)),
        seed=seed,
    )


def _one_hot(split: Split) -> np.ndarray:
    return np.eye(NUM_CLASSES, dtype=np.float32)[np.asarray(split.labels)]

"""Table 1: errors on the test images of MNIST for a few labels."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from tfvae.data.classes import with_few_labels
from tfvae.models import VAE
from tfvae.papers.job import Job
from tfvae.papers.kingma_2014 import augmentation, networks
from tfvae.papers.kingma_2014.augmentation import augmented, joined
from tfvae.papers.kingma_2014.budgets import Budget
from tfvae.papers.kingma_2014.passes import BATCH_SIZE, LAST_SHARE, NUM_LABELLED
from tfvae.papers.kingma_2014.training import (
    M1_LEARNING_RATE,
    M2_LEARNING_RATE,
    m1_curve,
    m2_curve,
    stacked_curve,
    test_split,
    train_split,
    trained,
)
from tfvae.papers.result import Claim, Result, Setting
from tfvae.recipes import m1

# Per cent, by the number of labels.
PUBLISHED: Mapping[str, Mapping[int, float]] = {
    "M1": {100: 11.82, 600: 5.72, 1_000: 4.24, 3_000: 3.49},
    "M2": {100: 11.97, 600: 4.94, 1_000: 3.60, 3_000: 3.92},
    "M1+M2": {100: 3.33, 600: 2.59, 1_000: 2.40, 3_000: 2.18},
}
ALONE = "q(y|x) alone"  # the classifier of M2, without images that have no labels
_NUM_LABELLED, _NUM_UNLABELLED = 3_000, 2_000  # images that the support vector machine sees
_STEPS_PER_PASS = 200  # of the classifier alone, for each pass of M2


@dataclasses.dataclass(frozen=True)
class Errors:
    """Errors in per cent of one model and number of labels, one for each draw of labels."""

    model: str
    num_labels: int
    values: Sequence[float]

    @property
    def mean(self) -> float:
        """The mean over draws."""
        return float(np.mean(self.values))

    @property
    def standard_error(self) -> float:
        """The standard error of the mean over draws, NaN for a single draw."""
        count = len(self.values)
        return float(np.std(self.values, ddof=1)) / math.sqrt(count) if count > 1 else math.nan

    def __str__(self) -> str:
        return f"{self.mean:.2f}" + ("" if math.isnan(self.standard_error) else f" ± {self.standard_error:.2f}")


def table_1(job: Job, budget: Budget) -> Result:
    """Reproduces table 1: M1 with a support vector machine, M2, and M1+M2."""
    of_m1 = m1_curve(job, budget)
    vae = trained(of_m1)
    numbers: dict[str, Any] = {"m1": of_m1.to_dict()}

    def error(model: str, num_labels: int, draw: int) -> float:
        if model == "M1":
            return _m1_error(vae, budget, num_labels, draw)
        if model == ALONE:
            return _classifier_error(budget, num_labels, draw)
        stacked = model == "M1+M2"
        curve = (
            stacked_curve(job, budget, vae, num_labels, draw) if stacked else m2_curve(job, budget, num_labels, draw)
        )
        numbers[f"{'m1-m2' if stacked else 'm2'}-{num_labels}-draw{draw}"] = curve.to_dict()
        return float(curve.points[-1]["error"])

    found: dict[str, list[Errors]] = {model: [] for model in (ALONE, *PUBLISHED)}
    for model in (ALONE, "M1", "M1+M2", "M2"):  # M2 takes longest
        for num_labels in budget.numbers_of_labels:
            draws = range(job.seed, job.seed + budget.num_draws)
            found[model].append(Errors(model, num_labels, [error(model, num_labels, draw) for draw in draws]))
            job.say(f"{model}, {num_labels:,} labels: error {found[model][-1]} per cent")
    numbers["errors"] = {
        model: {str(each.num_labels): list(each.values) for each in row} for model, row in found.items()
    }
    return Result(
        title="Table 1: classification of MNIST with few labels",
        settings=_settings(budget),
        numbers=numbers,
        claims=_claims(found),
        tables={"Error on the test images in per cent, mean and standard error over draws of labels": _table(found)},
        remarks=[
            "Labels are drawn at random, the same number of each class. All models but the first see the other "
            "training images without labels.",
            "All models see the labelled images turned, shifted and scaled at random (Keras' `RandomRotation`, "
            "`RandomTranslation` and `RandomZoom`), which the paper does not. The first row shows what this alone "
            "gives: the network q(y|x) of M2, trained on the labelled images only.",
            "The paper combines M1 with a transductive support vector machine, of which there is no maintained "
            "implementation. The row M1 is a support vector machine that trains itself (scikit-learn's "
            f"`SelfTrainingClassifier`), on about {_NUM_LABELLED:,} changed labelled images and {_NUM_UNLABELLED:,} "
            "images without labels.",
            "Our networks are not those of the paper: q(y|x) is a small convolutional network in M2, and has two "
            "hidden layers in M1+M2, both with dropout. M1 is trained with the weight "
            f"{networks.M1_BETA:g} of the KL, and the style z has {networks.LATENT_SIZE} dimensions instead of 50. "
            "With the weight 1, the latents of M1 are nearly a standard normal, and little is left for the second "
            "model to learn.",
        ],
    )


def _m1_error(vae: VAE, budget: Budget, num_labels: int, draw: int) -> float:
    few = with_few_labels(train_split(budget), num_labels, draw)
    others = few.rows(np.flatnonzero(np.asarray(few.labels) < 0)[:_NUM_UNLABELLED])
    classifier = m1(vae, joined(augmented(few, max(1, _NUM_LABELLED // num_labels), draw), others))
    test = test_split(budget)
    return 100.0 * float(np.mean(classifier.predict(test) != test.labels))


def _classifier_error(budget: Budget, num_labels: int, draw: int) -> float:
    few = with_few_labels(train_split(budget), num_labels, draw)
    known = few.rows(np.flatnonzero(np.asarray(few.labels) >= 0))
    batches = known.batches(NUM_LABELLED, shuffle=True, seed=draw, labels=True, drop_remainder=True).repeat()
    classifier = networks.classifier_of_images(draw)
    steps = budget.m2_passes * _STEPS_PER_PASS
    rate = keras.optimizers.schedules.CosineDecay(M2_LEARNING_RATE, steps, alpha=LAST_SHARE)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(keras.optimizers.Adam(rate), loss)
    classifier.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)
    test = test_split(budget)
    found = np.argmax(classifier.predict(test.x, batch_size=1_000, verbose=0), axis=1)
    return 100.0 * float(np.mean(found != test.labels))


def _table(found: Mapping[str, Sequence[Errors]]) -> str:
    numbers = [each.num_labels for each in next(iter(found.values()))]
    lines = [
        "| model | " + " | ".join(f"{n:,} labels | published" for n in numbers) + " |",
        "| --- |" + " ---: | ---: |" * len(numbers),
    ]
    escaped = r"\|"
    for model, row in found.items():
        published = PUBLISHED.get(model, {})
        cells = [f"{each} | {f'{published[each.num_labels]:.2f}' if published else ''}" for each in row]
        lines.append(f"| {model.replace('|', escaped)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _claims(found: Mapping[str, Sequence[Errors]]) -> list[Claim]:
    claims = []
    for stacked, others in zip(found["M1+M2"], zip(found["M1"], found["M2"], strict=True), strict=True):
        claims.append(
            Claim(
                f"With {stacked.num_labels:,} labels, M1+M2 has a lower error than M1 and M2.",
                all(stacked.mean < other.mean for other in others),
                ", ".join(f"{each.model}: {each}" for each in (*others, stacked)) + " per cent.",
            )
        )
    for model, row in found.items():
        if len(row) > 1:
            first, last = row[0], row[-1]
            claims.append(
                Claim(
                    f"The error of {model} is lower with {last.num_labels:,} labels than with {first.num_labels:,}.",
                    last.mean < first.mean,
                    f"{last} and {first} per cent.",
                )
            )
    return claims


def _settings(budget: Budget) -> list[Setting]:
    passes = f"{budget.m1_passes}, {budget.m2_passes}, {budget.stacked_passes}"
    return [
        Setting("", "data", "tfvae.data.load", "mnist"),
        Setting("", "training images", "Budget.num_train", f"{budget.num_train:,}"),
        Setting("", "test images", "Budget.num_test", f"{budget.num_test:,}"),
        Setting("", "draws of labels", "Budget.num_draws", str(budget.num_draws)),
        Setting("", "passes of M1, M2, second model of M1+M2", "Budget", passes),
        Setting("z1", "dimensions of M1", "M1_LATENT_SIZE", str(networks.M1_LATENT_SIZE)),
        Setting("", "weight of the KL of M1", "M1_BETA", f"{networks.M1_BETA:g}"),
        Setting("", "hidden units of M1", "M1_HIDDEN", " and ".join(map(str, networks.M1_HIDDEN))),
        Setting("z, z2", "dimensions of the style", "LATENT_SIZE", str(networks.LATENT_SIZE)),
        Setting(
            "", "hidden units of M2, second model", "M2_HIDDEN", f"{networks.M2_HIDDEN}, {networks.STACKED_HIDDEN}"
        ),
        Setting("", "channels of q(y|x) of M2", "FILTERS", " and ".join(map(str, networks.FILTERS))),
        Setting("", "features of q(y|x) of M2", "IMAGE_FEATURES", str(networks.IMAGE_FEATURES)),
        Setting(
            "",
            "hidden units of q(y|x) of M1+M2",
            "CLASSIFIER_HIDDEN",
            " and ".join(map(str, networks.CLASSIFIER_HIDDEN)),
        ),
        Setting(
            "", "dropout of these two", "IMAGE_DROPOUT, DROPOUT", f"{networks.IMAGE_DROPOUT:g}, {networks.DROPOUT:g}"
        ),
        Setting(
            "",
            "largest turn, shift and scale of labelled images",
            "ROTATION, SHIFT, ZOOM",
            f"{augmentation.ROTATION:g} of a turn, {augmentation.SHIFT:g}, {augmentation.ZOOM:g}",
        ),
        Setting(
            "alpha", "weight of -log q(y|x) of a label", "classification_weight", f"{networks.CLASSIFICATION_WEIGHT:g}"
        ),
        Setting("", "minibatch, of which have labels", "BATCH_SIZE, NUM_LABELLED", f"{BATCH_SIZE}, {NUM_LABELLED}"),
        Setting("", "first learning rate of Adam for M1, M2", "Passes", f"{M1_LEARNING_RATE:g}, {M2_LEARNING_RATE:g}"),
    ]

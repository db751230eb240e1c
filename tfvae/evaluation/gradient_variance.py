"""The noise of the gradients of several estimators, on the same batch and at the same weights."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._checks import whole_number
from tfvae._seeds import fold_in, split_seed, stateless_seed
from tfvae.estimators import Estimator, EstimatorWithLayers, KLPenalty, RunningMean
from tfvae.estimators.estimator import require_estimator
from tfvae.evaluation._batches import first_batch_of_examples
from tfvae.evaluation._finite import refuse_not_finite
from tfvae.evaluation.gradient_noise import GradientNoise, GradientVariance
from tfvae.models import VAE
from tfvae.models.batch import Batch, size_of
from tfvae.typing import Seed, Tensor

_SPLIT_BATCH_SIZE = 100


def gradient_variance(
    vae: VAE,
    x: Any,
    estimators: Estimator | Sequence[Estimator] | Mapping[str, Estimator],
    *,
    num_repeats: int = 100,
    seed: Seed = 0,
) -> GradientVariance:
    """Measures mean, variance and signal-to-noise ratio of gradients on one batch, for each part of the model.

    The gradient is that of the batch mean of the surrogate loss, as in a training step, at the model's current weights
    and `beta`. Only the random draws differ between repeats. Estimators with the same bound have the same mean
    gradient; the smaller the variance, the better they train.

    Args:
        vae: The model, which is not changed.
        x: One batch `[B, *event]`, a data set (its first batch is used) or a split (its first 100 examples are used).
        estimators: An estimator, a list of estimators, which are named by their `repr`, or a dictionary by name.
        num_repeats: R, number of repeats, at least 2.
        seed: An int or an int32 tensor `[2]`; repeat r of every estimator has the seed `fold_in(seed, r)`.

    A `ScoreFunction` with a `RunningMean`, if it is not the model's own estimator, is copied, and the running mean of
    the copy is updated with R draws first. A learned baseline is used unchanged.

    Raises:
        TypeError: If `x` is not an array, a split or a data set, or an estimator is not one.
        ValueError: If there are fewer than two repeats, no estimators, or two with the same name, if the data do not
            fit the model, or if gradients are not finite.

    Numerics:
        Makes two passes over the same draws, for the mean and for squared deviations from it. Standard errors are from
        the jackknife.

    References:
        Rainforth et al., Tighter Variational Bounds are Not Necessarily Better, 2018, arXiv 1802.04537, section 3.
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, section 2.2, on the variance of the
        score-function gradient.
    """
    num_repeats = whole_number(num_repeats, "num_repeats", at_least=2)
    named = _named(estimators)
    x = first_batch_of_examples(vae, x, _SPLIT_BATCH_SIZE)
    groups = _groups(vae)
    rows = []
    for name, given in named.items():
        estimator = _with_baseline(vae, given, x, num_repeats, seed)
        for group, numbers in _moments(vae, estimator, x, groups, num_repeats, seed).items():
            size = sum(math.prod(variable.shape) for variable in groups[group])
            if not all(np.isfinite(number).all() for number in numbers):
                refuse_not_finite(
                    vae,
                    f"The gradient of {name} by the {group} is not finite.",
                    "The model's weights are finite: look at the terms of the bound, "
                    "vae.estimate(x, estimator=...), on this batch.",
                )
            rows.append(GradientNoise.of(name, group, size, *numbers))
    return GradientVariance(tuple(rows), num_repeats, size_of(x))


def _named(estimators: Any) -> dict[str, Estimator]:
    """Checks the estimators and returns them by name."""
    if callable(estimators) or isinstance(estimators, str):
        estimators = [estimators]
    if isinstance(estimators, Mapping):
        pairs = [(name, require_estimator(estimator)) for name, estimator in estimators.items()]
    else:
        pairs = [(repr(estimator), require_estimator(estimator)) for estimator in estimators]
    names = [name for name, _ in pairs]
    if not names:
        raise ValueError("`estimators` must contain at least one estimator. Received: estimators=[]")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(
            "Estimators must have different names. Pass a dictionary from names to estimators. "
            f"Received: two estimators with the name {twice!r}"
        )
    return dict(pairs)


def _groups(vae: VAE) -> dict[str, list[Any]]:
    """Returns the trainable parts of the model; weights that prior and encoder share count as the encoder's."""
    encoder = vae.encoder.trainable_variables
    seen = {id(variable) for variable in encoder}
    prior = [variable for variable in vae.prior.trainable_variables if id(variable) not in seen]
    groups = {"encoder": encoder, "decoder": vae.decoder.trainable_variables, "prior": prior}
    return {name: list(variables) for name, variables in groups.items() if variables}


def _with_baseline(vae: VAE, estimator: Estimator, x: Tensor | Batch, num_repeats: int, seed: Seed) -> Estimator:
    """Returns a copy whose running mean is updated with this batch; other estimators are returned unchanged."""
    layers = estimator.layers if isinstance(estimator, EstimatorWithLayers) else ()
    if estimator is vae.estimator or not any(isinstance(layer, RunningMean) for layer in layers):
        return estimator
    beta = vae.beta if vae.kl_weighting is None else KLPenalty(vae.kl_weighting, vae.beta)
    copy: Any = type(estimator).from_config(estimator.get_config())  # type: ignore[attr-defined]

    @tf.function(autograph=False)
    def update(seed: Tensor) -> None:
        copy.update(vae.estimate(x, estimator=copy, seed=seed), beta=beta)

    (other,) = split_seed(seed, 1, "baseline")  # other draws than those of the repeats
    for r in range(num_repeats):
        update(fold_in(other, tf.constant(r)))
    return copy


def _moments(
    vae: VAE, estimator: Estimator, x: Tensor | Batch, groups: dict[str, list[Any]], num_repeats: int, seed: Seed
) -> dict[str, tuple[float, np.ndarray, np.ndarray]]:
    """Returns the squared norm of each group's mean gradient, and the repeats' squared distances and products."""
    variables = [variable for group in groups.values() for variable in group]
    values = [variable.value for variable in variables]

    def gradients(r: Tensor, seed: Tensor) -> list[Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            loss = tf.reduce_mean(vae.estimate(x, estimator=estimator, seed=fold_in(seed, r)).surrogate_loss)
        return [tf.cast(g, tf.float64) for g in tape.gradient(loss, values, unconnected_gradients="zero")]

    def of_groups(numbers: Sequence[Tensor]) -> list[Tensor]:
        left = iter(numbers)
        return [tf.add_n([next(left) for _ in group]) for group in groups.values()]

    @tf.function(autograph=False)
    def run(seed: Tensor) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        def add(r: Tensor, sums: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
            return r + 1, [total + g for total, g in zip(sums, gradients(r, seed), strict=True)]

        zeros = [tf.zeros(variable.shape, tf.float64) for variable in variables]
        _, sums = tf.while_loop(lambda r, _: r < num_repeats, add, (0, zeros), parallel_iterations=1)
        means = [total / num_repeats for total in sums]

        def measure(r: Tensor, squares: list[Any], products: list[Any]) -> tuple[Tensor, list[Any], list[Any]]:
            pairs = list(zip(gradients(r, seed), means, strict=True))
            distances = of_groups([tf.reduce_sum(tf.square(g - m)) for g, m in pairs])
            along = of_groups([tf.reduce_sum(g * m) for g, m in pairs])
            return (
                r + 1,
                [array.write(r, value) for array, value in zip(squares, distances, strict=True)],
                [array.write(r, value) for array, value in zip(products, along, strict=True)],
            )

        arrays = [[tf.TensorArray(tf.float64, num_repeats, element_shape=[]) for _ in groups] for _ in range(2)]
        _, squares, products = tf.while_loop(
            lambda r, *_: r < num_repeats, measure, (0, *arrays), parallel_iterations=1
        )
        norms = of_groups([tf.reduce_sum(tf.square(mean)) for mean in means])
        return norms, [array.stack() for array in squares], [array.stack() for array in products]

    return {
        name: (float(norm), squares.numpy(), products.numpy())
        for name, norm, squares, products in zip(groups, *run(stateless_seed(seed)), strict=True)
    }

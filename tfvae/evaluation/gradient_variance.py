"""How noisy the gradients of several estimators are, on the same batch and at the same weights."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from tfvae._checks import whole_number
from tfvae._seeds import fold_in, split_seed, stateless_seed
from tfvae.estimators import Estimator, KLPenalty, RunningMean
from tfvae.models import VAE
from tfvae.typing import Seed, Tensor, TensorLike


@dataclasses.dataclass(frozen=True)
class GradientNoise:
    """The gradient of one estimator by one group of parameters, over repeated draws.

    Attributes:
        estimator: its name.
        group: "encoder", "decoder" or "prior".
        num_parameters: P, numbers in the group.
        mean_norm: the length of the mean gradient, its own noise taken off.
        variance: the variance of a parameter's gradient, averaged over the P parameters.
        variance_standard_error: of `variance`, over the repeated draws.
        signal_to_noise: `mean_norm` / sqrt(P variance); zero where no signal stands out of the noise.
    """

    estimator: str
    group: str
    num_parameters: int
    mean_norm: float
    variance: float
    variance_standard_error: float
    signal_to_noise: float


@dataclasses.dataclass(frozen=True)
class GradientVariance:
    """What `gradient_variance` returns: a row an estimator and group.

    Attributes:
        rows: in the order of the estimators.
        num_repeats: R, gradients an estimator.
        batch_size: examples in the batch.
    """

    rows: tuple[GradientNoise, ...]
    num_repeats: int
    batch_size: int

    def row(self, estimator: str, group: str = "encoder") -> GradientNoise:
        """The row of an estimator's name and a group; KeyError where there is none."""
        for row in self.rows:
            if (row.estimator, row.group) == (estimator, group):
                return row
        raise KeyError((estimator, group))

    def to_dict(self) -> dict[str, Any]:
        """As JSON: infinite ratios, of gradients without noise, become None."""
        rows = [
            {name: None if value == math.inf else value for name, value in dataclasses.asdict(row).items()}
            for row in self.rows
        ]
        return {"num_repeats": self.num_repeats, "batch_size": self.batch_size, "rows": rows}

    def table(self) -> str:
        """The rows as a Markdown table."""
        lines = [
            "| estimator | group | mean norm | variance | ± | signal to noise |",
            "| --- | --- | ---: | ---: | ---: | ---: |",
        ]
        lines += [
            f"| {row.estimator} | {row.group} | {row.mean_norm:.4g} | {row.variance:.4g} "
            f"| {row.variance_standard_error:.2g} | {row.signal_to_noise:.4g} |"
            for row in self.rows
        ]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.table()

    def figure(self) -> Figure:
        """Variance by estimator, on a logarithmic axis, one panel a group."""
        groups = list(dict.fromkeys(row.group for row in self.rows))
        names = list(dict.fromkeys(row.estimator for row in self.rows))
        figure = Figure(figsize=(4.5 * len(groups) + 2.5, 0.4 * len(names) + 1.4), layout="constrained")
        panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
        for axes, group in zip(panels, groups, strict=True):
            rows = [self.row(name, group) for name in names]
            errors = [row.variance_standard_error for row in rows]
            axes.barh(names, [row.variance for row in rows], xerr=errors, color="C0", ecolor="0.3")
            axes.set_xscale("log")
            positive = [row.variance for row in rows if row.variance > 0.0]
            if positive:  # whole decades, so that each tick has room for its label
                least, most = math.floor(math.log10(min(positive))), math.ceil(math.log10(1.5 * max(positive)))
                axes.set_xlim(10.0**least, 10.0**most)
                axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set(title=group, xlabel="variance of a parameter's gradient")
            axes.grid(axis="x", alpha=0.3)
        panels[0].set_ylim(len(names) - 0.5, -0.5)
        return figure


def gradient_variance(
    vae: VAE,
    x: TensorLike,
    estimators: Sequence[Estimator] | Mapping[str, Estimator],
    *,
    num_repeats: int = 100,
    seed: Seed = 0,
) -> GradientVariance:
    """The mean, variance and signal-to-noise ratio of estimators' gradients on one batch, for each part of the model.

    The gradient is that of the batch mean of the surrogate loss, as a training step has it, at the model's present
    weights and `beta`; only the random draws differ from repeat to repeat. All estimators whose surrogate is the same
    bound have the same mean; the smaller their variance, the better they train.

    Args:
        vae: the model; nothing in it changes.
        x: one batch `[B, *event]`.
        estimators: a list, named by their `repr`, or a dictionary by name.
        num_repeats: R, at least 2.
        seed: an int or an int32 tensor `[2]`; repeat r of every estimator has the seed `fold_in(seed, r)`.

    A `ScoreFunction` with a `RunningMean` other than the model's own is first shown R draws, on a copy. A learned
    baseline is taken as it is.

    Raises:
        ValueError: for fewer than two repeats, no estimators, or data unlike the model's.

    Numerics:
        Two passes over the same draws: the mean, then squared deviations from it.

    References:
        Rainforth et al., Tighter Variational Bounds are Not Necessarily Better, 2018, arXiv 1802.04537, section 3.
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, section 2.2, on the variance of the
        score-function gradient.
    """
    num_repeats = whole_number(num_repeats, "num_repeats", at_least=2)
    named = dict(estimators) if isinstance(estimators, Mapping) else {repr(item): item for item in estimators}
    if not named:
        raise ValueError("estimators is a list of at least one estimator. Received none.")
    vae.check_data(x)
    x = tf.cast(tf.convert_to_tensor(x), vae.variable_dtype)
    groups = _groups(vae)
    rows = []
    for name, given in named.items():
        estimator = _with_baseline(vae, given, x, num_repeats, seed)
        for group, (mean_square, squares) in _moments(vae, estimator, x, groups, num_repeats, seed).items():
            size = sum(math.prod(variable.shape) for variable in groups[group])
            total = squares.sum() / (num_repeats - 1)
            signal = math.sqrt(max(mean_square - total / num_repeats, 0.0))
            rows.append(
                GradientNoise(
                    estimator=name,
                    group=group,
                    num_parameters=size,
                    mean_norm=signal,
                    variance=total / size,
                    variance_standard_error=float(squares.std(ddof=1) / math.sqrt(num_repeats) / size),
                    signal_to_noise=signal / math.sqrt(total) if total > 0.0 else math.inf,
                )
            )
    return GradientVariance(tuple(rows), num_repeats, int(x.shape[0]))


def _groups(vae: VAE) -> dict[str, list[Any]]:
    """The parts of the model that have parameters; what a prior shares with the encoder is the encoder's."""
    encoder = vae.encoder.trainable_variables
    seen = {id(variable) for variable in encoder}
    prior = [variable for variable in vae.prior.trainable_variables if id(variable) not in seen]
    groups = {"encoder": encoder, "decoder": vae.decoder.trainable_variables, "prior": prior}
    return {name: list(variables) for name, variables in groups.items() if variables}


def _with_baseline(vae: VAE, estimator: Estimator, x: Tensor, num_repeats: int, seed: Seed) -> Estimator:
    """A copy whose running mean has seen this batch; any other estimator as it is."""
    layers = getattr(estimator, "layers", ())
    if estimator is vae.estimator or not any(isinstance(layer, RunningMean) for layer in layers):
        return estimator
    beta = vae.beta if vae.kl_weighting is None else KLPenalty(vae.kl_weighting, vae.beta)
    copy: Any = type(estimator).from_config(estimator.get_config())  # type: ignore[attr-defined]

    @tf.function(autograph=False)
    def show(seed: Tensor) -> None:
        copy.update(vae.estimate(x, estimator=copy, seed=seed), beta=beta)

    (other,) = split_seed(seed, 1, "baseline")  # draws that are not those of the repeats
    for r in range(num_repeats):
        show(fold_in(other, tf.constant(r)))
    return copy


def _moments(
    vae: VAE, estimator: Estimator, x: Tensor, groups: dict[str, list[Any]], num_repeats: int, seed: Seed
) -> dict[str, tuple[float, np.ndarray]]:
    """Each group's squared norm of the mean gradient, and each repeat's squared distance from the mean `[R]`."""
    variables = [variable for group in groups.values() for variable in group]
    values = [variable.value for variable in variables]

    def gradients(r: Tensor, seed: Tensor) -> list[Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            loss = tf.reduce_mean(vae.estimate(x, estimator=estimator, seed=fold_in(seed, r)).surrogate_loss)
        return [tf.cast(g, tf.float64) for g in tape.gradient(loss, values, unconnected_gradients="zero")]

    @tf.function(autograph=False)
    def run(seed: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        def add(r: Tensor, sums: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
            return r + 1, [total + g for total, g in zip(sums, gradients(r, seed), strict=True)]

        zeros = [tf.zeros(variable.shape, tf.float64) for variable in variables]
        _, sums = tf.while_loop(lambda r, _: r < num_repeats, add, (0, zeros), parallel_iterations=1)
        means = [total / num_repeats for total in sums]

        def measure(r: Tensor, found: list[Any]) -> tuple[Tensor, list[Any]]:
            left = iter([tf.reduce_sum(tf.square(g - m)) for g, m in zip(gradients(r, seed), means, strict=True)])
            squares = [tf.add_n([next(left) for _ in group]) for group in groups.values()]
            return r + 1, [array.write(r, value) for array, value in zip(found, squares, strict=True)]

        arrays = [tf.TensorArray(tf.float64, num_repeats, element_shape=[]) for _ in groups]
        _, arrays = tf.while_loop(lambda r, _: r < num_repeats, measure, (0, arrays), parallel_iterations=1)
        norms = iter([tf.reduce_sum(tf.square(mean)) for mean in means])
        return [tf.add_n([next(norms) for _ in group]) for group in groups.values()], [a.stack() for a in arrays]

    mean_squares, squares = run(stateless_seed(seed))
    return {
        name: (float(square), distances.numpy())
        for name, square, distances in zip(groups, mean_squares, squares, strict=True)
    }

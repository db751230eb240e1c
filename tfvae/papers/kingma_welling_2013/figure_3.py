"""Figure 3: log p(x) against training samples with a small and a large training set, for three algorithms."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tfvae.models import VAE
from tfvae.papers.curves import Curve
from tfvae.papers.job import Job
from tfvae.papers.kingma_welling_2013.budgets import Budget
from tfvae.papers.kingma_welling_2013.data_sets import DataSet, mnist
from tfvae.papers.kingma_welling_2013.figure_2 import COMPARED_FROM
from tfvae.papers.kingma_welling_2013.monte_carlo_em import NUM_LEAPFROG_STEPS, NUM_UPDATES, TARGET_ACCEPTANCE
from tfvae.papers.kingma_welling_2013.training import (
    COLORS,
    NAMES,
    Algorithm,
    chain_settings,
    curve_of,
    lead,
    log_marginal,
    mean_and_error,
    settings,
)
from tfvae.papers.result import Claim, Result, Setting

LATENT_SIZE, HIDDEN, TRAINING_SIZES = 3, 100, (1_000, 50_000)
_ALGORITHMS: tuple[Algorithm, ...] = ("aevb", "wake_sleep", "mcem")
_TOLERANCE = 2.0  # nats; a smaller difference of log p(x) counts as competitive

Panels = Mapping[int, Mapping[str, Curve]]  # by training set size, then by algorithm


def figure_3(job: Job, budget: Budget) -> Result:
    """Reproduces figure 3: the marginal likelihood of AEVB, wake-sleep and Monte Carlo EM."""
    panels: Panels = {
        size: {algorithm: _curve(job, budget, algorithm, size) for algorithm in _ALGORITHMS} for size in TRAINING_SIZES
    }
    transitions = [
        f"{budget.num_samples / (NUM_UPDATES * size):,.0f} transitions each with {size:,} images"
        for size in TRAINING_SIZES
    ]
    return Result(
        title="Figure 3: the marginal log-likelihood, with few and with many training images",
        settings=[
            *settings([mnist()], [LATENT_SIZE], str(HIDDEN), budget, budget.num_samples, budget.initial_variance),
            *_settings(budget),
        ],
        numbers={
            f"N_train={size}": {algorithm: curve.to_dict() for algorithm, curve in panel.items()}
            for size, panel in panels.items()
        },
        claims=_claims(panels),
        tables={"log p(x) at the end, nats": _table(panels)},
        figures={"": _figure(panels)},
        remarks=[
            "A training sample counts each time it is used in an update of the weights. A minibatch of Monte Carlo EM "
            f"counts {NUM_UPDATES} times, and its {NUM_LEAPFROG_STEPS} leapfrog steps do not count. At the end its "
            f"chains have made {' and '.join(transitions)}.",
            "For all three algorithms, the chains that estimate log p(x) start from those draws of the prior that "
            "explain the image best, so that the encoder has no influence.",
        ],
    )


def _curve(job: Job, budget: Budget, algorithm: Algorithm, num_train: int) -> Curve:
    def measure(vae: VAE, data_set: DataSet) -> dict[str, Any]:
        numbers: dict[str, Any] = {}
        for name, split in (("train", data_set.train), ("test", data_set.test)):
            record = log_marginal(vae, split, budget.num_marginal, budget.chains, job.seed)
            numbers |= mean_and_error(name, record)
            numbers[f"{name}_details"] = None if record is None else record.to_dict()
        return numbers

    return curve_of(
        job,
        budget,
        mnist(),
        algorithm,
        latent_size=LATENT_SIZE,
        hidden=HIDDEN,
        num_train=num_train,
        measure=measure,
        measured="marginal",
        setup={"num_marginal": budget.num_marginal, **budget.chains},
        points_per_decade=max(1, budget.points_per_decade // 2),
        initial_variance=budget.initial_variance,
    )


def _settings(budget: Budget) -> list[Setting]:
    return [
        Setting("N_train", "training images", "TRAINING_SIZES", ", ".join(f"{size:,}" for size in TRAINING_SIZES)),
        Setting("", "leapfrog steps of Monte Carlo EM", "NUM_LEAPFROG_STEPS", str(NUM_LEAPFROG_STEPS)),
        Setting("", "target acceptance of its step size", "TARGET_ACCEPTANCE", f"{TARGET_ACCEPTANCE:.0%}"),
        Setting("", "weight updates per transition", "NUM_UPDATES", str(NUM_UPDATES)),
        *chain_settings(budget),
    ]


def _claims(panels: Panels) -> list[Claim]:
    few, many = panels
    seen = panels[many]["aevb"].column("samples")
    start = min(COMPARED_FROM, seen[-1])
    behind = {
        samples: lead(ours, theirs)
        for samples, ours, theirs in zip(
            seen,
            panels[many]["aevb"].column("test"),
            panels[many]["mcem"].column("test"),
            strict=True,
        )
        if samples >= start
    }
    nearest = min(behind, key=lambda samples: behind[samples])
    best = {
        size: {algorithm: max(curve.column("test")) for algorithm, curve in panel.items()}
        for size, panel in panels.items()
    }
    short = {size: best[size]["aevb"] - best[size]["mcem"] for size in (few, many)}
    return [
        Claim(
            f"With {many:,} images, log p(x) of the test set is lower for Monte Carlo EM than for AEVB at every number "
            f"of training samples from {start:,}.",
            behind[nearest] > 0.0,
            f"The smallest difference is {behind[nearest]:.2f} nats, after {nearest:,} samples. At the end it is "
            f"{behind[seen[-1]]:.2f}.",
        ),
        Claim(
            f"Monte Carlo EM is competitive with {few:,} images and not with {many:,}: its best log p(x) of the test "
            f"set is at most {_TOLERANCE:g} nats below AEVB's with the former, and further below with the latter.",
            short[few] <= _TOLERANCE < short[many],
            f"AEVB's best minus Monte Carlo EM's: {short[few]:.2f} nats with {few:,} images, {short[many]:.2f} with "
            f"{many:,}.",
        ),
    ]


def _table(panels: Panels) -> str:
    lines = [
        "| N_train | algorithm | learning rate | training | test | best test | training time |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for size, panel in panels.items():
        for algorithm, curve in panel.items():
            last = curve.points[-1]
            train, test = (f"{last[split]:.2f} ± {last[f'{split}_standard_error']:.2f}" for split in ("train", "test"))
            lines.append(
                f"| {size:,} | {NAMES[algorithm]} | {curve.learning_rate:g} | {train} | {test} "
                f"| {max(curve.column('test')):.2f} | {curve.seconds:,.0f} s |"
            )
    return "\n".join(lines)


def _figure(panels: Panels) -> Figure:
    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True)
    for axis, (size, panel) in zip(axes, panels.items(), strict=True):
        for algorithm, curve in panel.items():
            samples, color = curve.column("samples"), COLORS[algorithm]
            axis.plot(samples, curve.column("train"), color=color, ls="--", lw=1.2, label=f"{NAMES[algorithm]}, train")
            axis.plot(samples, curve.column("test"), color=color, lw=1.2, label=f"{NAMES[algorithm]}, test")
        axis.set(xscale="log", title=f"$N_{{train}} = {size:,}$", xlabel="training samples")
        axis.grid(alpha=0.3)
    later = [
        value
        for panel in panels.values()
        for curve in panel.values()
        for split in ("train", "test")
        for value in curve.column(split)[len(curve.points) // 3 :]
    ]
    low, high = float(np.nanmin(later)), float(np.nanmax(later))
    margin = 0.05 * (high - low)
    axes[0].set(ylabel="log p(x), nats", ylim=(low - margin, high + margin))
    figure.legend(*axes[-1].get_legend_handles_labels(), fontsize="small", loc="outside lower center", ncols=3)
    return figure

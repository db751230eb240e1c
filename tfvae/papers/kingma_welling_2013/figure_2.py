"""Figure 2: the lower bound against training samples, for AEVB and wake-sleep."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tfvae.models import VAE
from tfvae.papers.curves import Curve
from tfvae.papers.job import Job
from tfvae.papers.kingma_welling_2013.algorithm_1 import INITIAL_VARIANCE
from tfvae.papers.kingma_welling_2013.budgets import Budget
from tfvae.papers.kingma_welling_2013.data_sets import DataSet, frey_face, mnist
from tfvae.papers.kingma_welling_2013.training import COLORS, NAMES, bound, curve_of, lead, mean_and_error, settings
from tfvae.papers.result import Claim, Result, Setting

_ALGORITHMS = ("aevb", "wake_sleep")
COMPARED_FROM = 100_000  # training samples; shorter curves are compared at their end
_FEW_TEST_IMAGES = 1_000
_TOLERANCE = 1.0  # nats; a smaller fall of the test bound or excess of its gap does not count as overfitting

Panels = Mapping[int, Mapping[str, Curve]]  # by N_z, then by algorithm


def figure_2_mnist(job: Job, budget: Budget) -> Result:
    """Reproduces the MNIST panels of figure 2."""
    panels = {size: _panel(job, budget, mnist(), size) for size in budget.mnist_latent_sizes}
    return _result("Figure 2, MNIST: the lower bound", mnist(), panels, budget)


def figure_2_frey_face(job: Job, budget: Budget) -> Result:
    """Reproduces the Frey Face panels of figure 2."""
    data_set = frey_face(job.data_dir)
    panels = {size: _panel(job, budget, data_set, size) for size in budget.frey_latent_sizes}
    return _result("Figure 2, Frey Face: the lower bound", data_set, panels, budget)


def bound_curve(
    job: Job,
    budget: Budget,
    data_set: DataSet,
    algorithm: Any,
    latent_size: int,
    initial_variance: float = INITIAL_VARIANCE,
) -> Curve:
    """Trains and measures one curve. Figures 4 and 5 use such models too."""

    def measure(vae: VAE, data_set: DataSet) -> dict[str, Any]:
        numbers: dict[str, Any] = {}
        for name, split in (("train", data_set.train), ("test", data_set.test)):
            record = bound(vae, split.take(budget.num_bound), batch_size=500, seed=job.seed)
            numbers |= mean_and_error(name, record)
        return numbers

    return curve_of(
        job,
        budget,
        data_set,
        algorithm,
        latent_size=latent_size,
        hidden=data_set.hidden,
        measure=measure,
        measured="bound",
        setup={"num_bound": budget.num_bound},
        initial_variance=initial_variance,
    )


def _panel(job: Job, budget: Budget, data_set: DataSet, latent_size: int) -> dict[str, Curve]:
    return {
        algorithm: bound_curve(job, budget, data_set, algorithm, latent_size, budget.initial_variance)
        for algorithm in _ALGORITHMS
    }


def _result(title: str, data_set: DataSet, panels: Panels, budget: Budget) -> Result:
    return Result(
        title=title,
        settings=[
            *settings(
                [data_set], list(panels), str(data_set.hidden), budget, budget.num_samples, budget.initial_variance
            ),
            *_settings(budget),
        ],
        numbers={
            f"N_z={size}": {algorithm: curve.to_dict() for algorithm, curve in panel.items()}
            for size, panel in panels.items()
        },
        claims=_claims(panels),
        tables={"The bound at the end, nats": _table(panels)},
        figures={"": _figure(panels)},
        remarks=_remarks(data_set),
    )


def _remarks(data_set: DataSet) -> list[str]:
    if len(data_set.test) >= _FEW_TEST_IMAGES:
        return []
    return [
        f"The bounds use one draw of z per image. With {len(data_set.test):,} test images, a difference of one nat "
        "between two bounds is within the noise of the draws. The gap between training and test bound is known only up "
        "to the standard errors over images in the table."
    ]


def _settings(budget: Budget) -> list[Setting]:
    return [Setting("", "maximum number of images for a bound", "Budget.num_bound", f"{budget.num_bound:,}")]


def _claims(panels: Panels) -> list[Claim]:
    # A single panel cannot show the effect of superfluous latents.
    return [
        _higher_claim(panels),
        _faster_claim(panels),
        *([_no_overfitting_claim(panels, max(panels))] if len(panels) > 1 else []),
    ]


def _higher_claim(panels: Panels) -> Claim:
    """Tests whether the bound of AEVB is higher at every number of samples."""
    least, where = math.inf, ""
    start = min(COMPARED_FROM, *(panel["aevb"].points[-1]["samples"] for panel in panels.values()))
    for size, panel in panels.items():
        for ours, theirs in zip(panel["aevb"].points, panel["wake_sleep"].points, strict=True):
            for split in ("train", "test") if ours["samples"] >= start else ():
                difference = lead(ours[split], theirs[split])
                if difference < least:
                    least, where = difference, f"N_z = {size}, {split}, {ours['samples']:,} samples"
    return Claim(
        "The bound of AEVB is higher than that of wake-sleep in every panel, at every number of training samples from "
        f"{start:,}, on the training and on the test set.",
        least > 0.0,
        f"The smallest difference is {least:.2f} nats ({where}).",
    )


def _faster_claim(panels: Panels) -> Claim:
    """Tests whether AEVB needs fewer samples for the same bound."""
    factors = {}
    for size, panel in panels.items():
        best = max(panel["wake_sleep"].points, key=lambda point: point["test"])
        reached = [point["samples"] for point in panel["aevb"].points if point["test"] >= best["test"]]
        factors[size] = best["samples"] / reached[0] if reached else 0.0
    ratios = ", ".join(
        f"{factor:.1f} (N_z = {size})" if factor else f"AEVB never reached it (N_z = {size})"
        for size, factor in factors.items()
    )
    return Claim(
        "AEVB converges faster: it reaches the best test bound of wake-sleep with fewer training samples.",
        min(factors.values()) > 1.0,
        f"Ratio of the samples that wake-sleep needed: {ratios}.",
    )


def _no_overfitting_claim(panels: Panels, largest: int) -> Claim:
    """Tests whether superfluous latent variables leave the test bound intact."""
    curve = panels[largest]["aevb"]
    test, last = curve.column("test"), curve.points[-1]
    fallen = max(test) - test[-1]
    gaps = {
        size: panel["aevb"].points[-1]["train"] - panel["aevb"].points[-1]["test"] for size, panel in panels.items()
    }
    others = max(gap for size, gap in gaps.items() if size != largest)
    return Claim(
        f"Superfluous latent variables do not overfit: with N_z = {largest} AEVB's test bound falls by at most "
        f"{_TOLERANCE:g} nat from its best, and its distance to the training bound exceeds that with fewer latents by "
        f"at most {_TOLERANCE:g} nat.",
        fallen <= _TOLERANCE and gaps[largest] <= others + _TOLERANCE,
        f"The test bound ends {fallen:.2f} nats below its best, at {last['test']:.2f}; training minus test is "
        f"{gaps[largest]:.2f}, and at most {others:.2f} with fewer latents.",
    )


def _table(panels: Panels) -> str:
    lines = ["| N_z | algorithm | learning rate | training | test |", "| ---: | --- | ---: | ---: | ---: |"]
    for size, panel in panels.items():
        for algorithm, curve in panel.items():
            last = curve.points[-1]
            train, test = (f"{last[split]:.2f} ± {last[f'{split}_standard_error']:.2f}" for split in ("train", "test"))
            lines.append(f"| {size} | {NAMES[algorithm]} | {curve.learning_rate:g} | {train} | {test} |")
    return "\n".join(lines)


def _figure(panels: Panels) -> Figure:
    figure = Figure(figsize=(2.6 * len(panels) + 0.6, 3.6), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (size, panel) in zip(axes, panels.items(), strict=True):
        for algorithm, curve in panel.items():
            samples, color = curve.column("samples"), COLORS[algorithm]
            axis.plot(samples, curve.column("train"), color=color, ls="--", lw=1.2, label=f"{NAMES[algorithm]}, train")
            axis.plot(samples, curve.column("test"), color=color, lw=1.2, label=f"{NAMES[algorithm]}, test")
        axis.set(xscale="log", title=f"$N_z = {size}$", xlabel="training samples")
        axis.grid(alpha=0.3)
    axes[0].set(ylabel="lower bound, nats", ylim=_limits(panels))
    figure.legend(*axes[-1].get_legend_handles_labels(), fontsize="small", loc="outside lower center", ncols=2)
    return figure


def _limits(panels: Panels) -> tuple[float, float]:
    """Returns limits of the y axis based on the later points. The first points would flatten the curves."""
    curves: Sequence[Curve] = [curve for panel in panels.values() for curve in panel.values()]
    values = np.concatenate([curve.column(split) for curve in curves for split in ("train", "test")])
    later = np.concatenate(
        [curve.column(split)[len(curve.points) // 3 :] for curve in curves for split in ("train", "test")]
    )
    low, high = float(np.nanpercentile(later, 2)), float(np.nanmax(values))
    return low - 0.05 * (high - low), high + 0.05 * (high - low)

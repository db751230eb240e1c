"""Section 2.2: measurement of the variance of the naive gradient estimator, which the paper calls impractical."""

from typing import Any

from matplotlib.figure import Figure

from tfvae import evaluation
from tfvae.models import VAE
from tfvae.papers.job import Job
from tfvae.papers.kingma_welling_2013.algorithm_1 import BATCH_SIZE, ESTIMATORS
from tfvae.papers.kingma_welling_2013.budgets import Budget
from tfvae.papers.kingma_welling_2013.data_sets import DataSet, mnist
from tfvae.papers.kingma_welling_2013.training import curve_of, settings
from tfvae.papers.result import Claim, Result, Setting

LATENT_SIZE = 20
_ESTIMATORS = {
    "score function": ESTIMATORS["score_function"],
    "A": ESTIMATORS["aevb_a"],
    "B": ESTIMATORS["aevb"],
}
_FACTOR = 100.0  # ratio of variances that counts as impractical


def gradient_variance(job: Job, budget: Budget) -> Result:
    """Measures the variance of the encoder's gradient during training for the score function and estimators A and B."""

    def measure(vae: VAE, data_set: DataSet) -> dict[str, Any]:
        x = data_set.train.x[:BATCH_SIZE]
        found = evaluation.gradient_variance(vae, x, _ESTIMATORS, num_repeats=budget.num_repeats, seed=job.seed)
        return {name: vars(found.row(name)) for name in _ESTIMATORS}

    curve = curve_of(
        job,
        budget,
        mnist(),
        "aevb",
        latent_size=LATENT_SIZE,
        hidden=mnist().hidden,
        measure=measure,
        measured="variance",
        setup={
            "num_repeats": budget.num_repeats,
            "estimators": {name: repr(each) for name, each in _ESTIMATORS.items()},
        },
        points_per_decade=1,
    )
    ratios = [point["score function"]["variance"] / point["B"]["variance"] for point in curve.points]
    return Result(
        title="Section 2.2: the variance of the naive gradient estimator",
        settings=[
            *settings([mnist()], [LATENT_SIZE], "500", budget, curve.points[-1]["samples"]),
            *(Setting("", f"estimator: {name}", "ESTIMATORS", f"`{each!r}`") for name, each in _ESTIMATORS.items()),
            Setting("", "gradients per estimator", "Budget.num_repeats", str(budget.num_repeats)),
        ],
        numbers={"aevb": curve.to_dict()},
        claims=[
            Claim(
                "The naive score function estimator exhibits a very high variance: more than "
                f"{_FACTOR:g} times that of estimator B throughout training.",
                min(ratios) > _FACTOR,
                f"The ratio of the variances is between {min(ratios):,.0f} and {max(ratios):,.0f}, which is the factor "
                "by which it needs more samples for the same precision.",
            )
        ],
        tables={"Variance of a parameter's gradient, averaged over the encoder's parameters": _table(curve.points)},
        figures={"": _figure(curve.points)},
    )


def _table(points: Any) -> str:
    lines = [
        "| training samples | " + " | ".join(_ESTIMATORS) + " | score function / B |",
        "| ---: |" + " ---: |" * (len(_ESTIMATORS) + 1),
    ]
    for point in points:
        cells = [
            f"{point[name]['variance']:.3g} ± {point[name]['variance_standard_error']:.1g}" for name in _ESTIMATORS
        ]
        ratio = point["score function"]["variance"] / point["B"]["variance"]
        lines.append(f"| {point['samples']:,} | {' | '.join(cells)} | {ratio:,.0f} |")
    return "\n".join(lines)


def _figure(points: Any) -> Figure:
    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    axes = figure.add_subplot()
    samples = [point["samples"] for point in points]
    for name in _ESTIMATORS:
        label = name if name == "score function" else f"estimator {name}"
        axes.plot(samples, [point[name]["variance"] for point in points], marker=".", label=label)
    axes.set(
        xscale="log", yscale="log", xlabel="training samples", ylabel="variance of a parameter's gradient (encoder)"
    )
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return figure

"""Figure 4: manifolds of models with two latent dimensions, through the inverse Gaussian CDF."""

from matplotlib.figure import Figure

from tfvae.evaluation.figures import manifold_picture
from tfvae.papers.job import Job
from tfvae.papers.kingma_welling_2013.algorithm_1 import load_trained
from tfvae.papers.kingma_welling_2013.budgets import Budget
from tfvae.papers.kingma_welling_2013.data_sets import frey_face, mnist
from tfvae.papers.kingma_welling_2013.figure_2 import bound_curve
from tfvae.papers.kingma_welling_2013.training import settings
from tfvae.papers.result import Result, Setting

LATENT_SIZE, STEPS = 2, {"mnist": 20, "frey_face": 12}


def figure_4(job: Job, budget: Budget) -> Result:
    """Reproduces figure 4: decoder means on a grid over the latent plane."""
    data_sets = [frey_face(job.data_dir), mnist()]
    curves = {data_set.name: bound_curve(job, budget, data_set, "aevb", LATENT_SIZE) for data_set in data_sets}
    figure = Figure(figsize=(11.0, 6.4), layout="constrained")
    titles = {"frey_face": "Frey Face", "mnist": "MNIST"}
    for axes, (name, curve) in zip(figure.subplots(1, 2), curves.items(), strict=True):
        axes.imshow(
            manifold_picture(load_trained(curve.folder), num_steps=STEPS[name]).squeeze(), cmap="gray", vmin=0, vmax=255
        )
        axes.set_axis_off()
        axes.set_title(titles[name])
    return Result(
        title="Figure 4: learned manifolds of two latent dimensions",
        settings=[
            *settings(data_sets, [LATENT_SIZE], "200, 500", budget, budget.num_samples),
            Setting("", "z of the grid", "scipy.stats.norm.ppf", "inverse Gaussian CDF of an even grid of (0, 1)^2"),
        ],
        numbers={name: curve.to_dict() for name, curve in curves.items()},
        tables={
            "The models": "\n".join(
                ["| data | bound, training | bound, test |", "| --- | ---: | ---: |"]
                + [
                    f"| {titles[name]} | {curve.points[-1]['train']:.2f} | {curve.points[-1]['test']:.2f} |"
                    for name, curve in curves.items()
                ]
            )
        },
        figures={"": figure},
        remarks=["The figure shows the means of p(x|z)."],
    )

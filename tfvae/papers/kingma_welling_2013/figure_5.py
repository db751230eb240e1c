"""Figure 5: samples from models of MNIST by number of latent dimensions."""

from matplotlib.figure import Figure

from tfvae._images import tile, to_displayable
from tfvae._seeds import stateless_seed
from tfvae.papers.job import Job
from tfvae.papers.kingma_welling_2013.algorithm_1 import load_trained
from tfvae.papers.kingma_welling_2013.budgets import Budget
from tfvae.papers.kingma_welling_2013.data_sets import mnist
from tfvae.papers.kingma_welling_2013.figure_2 import bound_curve
from tfvae.papers.kingma_welling_2013.training import settings
from tfvae.papers.result import Result, Setting

NUM_SAMPLES, NUM_COLUMNS = 100, 10


def figure_5(job: Job, budget: Budget) -> Result:
    """Reproduces figure 5: random samples from models with increasing numbers of latent dimensions."""
    sizes = budget.sample_latent_sizes
    curves = {size: bound_curve(job, budget, mnist(), "aevb", size) for size in sizes}
    figure = Figure(figsize=(3.2 * len(sizes), 3.5), layout="constrained")
    for axes, (size, curve) in zip(figure.subplots(1, len(sizes), squeeze=False)[0], curves.items(), strict=True):
        vae = load_trained(curve.folder)
        z = vae.prior.distribution().sample(NUM_SAMPLES, seed=stateless_seed(job.seed))
        axes.imshow(tile(to_displayable(vae.decode(z).mean()), NUM_COLUMNS).squeeze(), cmap="gray", vmin=0, vmax=255)
        axes.set_axis_off()
        axes.set_title(f"$N_z = {size}$")
    return Result(
        title="Figure 5: random samples from models of MNIST",
        settings=[
            *settings([mnist()], sizes, "500", budget, budget.num_samples),
            Setting("", "samples shown", "NUM_SAMPLES", f"{NUM_SAMPLES}, means of p(x|z) for z from p(z)"),
        ],
        numbers={f"N_z={size}": curve.to_dict() for size, curve in curves.items()},
        tables={
            "The models": "\n".join(
                ["| N_z | bound, training | bound, test |", "| ---: | ---: | ---: |"]
                + [
                    f"| {size} | {curve.points[-1]['train']:.2f} | {curve.points[-1]['test']:.2f} |"
                    for size, curve in curves.items()
                ]
            )
        },
        figures={"": figure},
    )

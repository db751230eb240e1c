"""Figure 1: the style of an image in every class."""

import numpy as np

from tfvae.evaluation.figures import analogies, styles
from tfvae.papers.job import Job
from tfvae.papers.kingma_2014 import networks
from tfvae.papers.kingma_2014.budgets import Budget
from tfvae.papers.kingma_2014.training import m1_curve, stacked_curve, test_split, trained
from tfvae.papers.result import Result, Setting
from tfvae.recipes import stacked

_NUM_EXAMPLES = 10


def figure_1(job: Job, budget: Budget) -> Result:
    """Reproduces figure 1: analogies of test images, and styles of the prior, by the M1+M2 of table 1."""
    num_labels = max(budget.numbers_of_labels)
    first = m1_curve(job, budget)
    m1 = trained(first)
    second = stacked_curve(job, budget, m1, num_labels, job.seed)
    vae = stacked(m1, trained(second), seed=job.seed)
    x, labels = test_split(budget).x, np.asarray(test_split(budget).labels)
    rows = [int(np.flatnonzero(labels == k)[0]) for k in range(_NUM_EXAMPLES)]
    return Result(
        title="Figure 1: analogies",
        settings=[
            Setting("", "model", "tfvae.recipes.stacked", f"M1+M2 with {num_labels:,} labels"),
            Setting("z2", "dimensions of the style", "LATENT_SIZE", str(networks.LATENT_SIZE)),
        ],
        numbers={"m1": first.to_dict(), "m1-m2": second.to_dict()},
        figures={"analogies": analogies(vae, x[rows], seed=job.seed), "styles": styles(vae, seed=job.seed)},
        remarks=["The first figure has test images, the second draws of z2 from its prior."],
    )

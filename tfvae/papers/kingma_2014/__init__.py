"""Semi-supervised Learning with Deep Generative Models, Kingma et al. 2014, arXiv 1406.5298."""

from collections.abc import Callable

from tfvae.papers.job import Job
from tfvae.papers.kingma_2014.budgets import BUDGETS, Budget
from tfvae.papers.kingma_2014.data_sets import mnist
from tfvae.papers.kingma_2014.figure_1 import figure_1
from tfvae.papers.kingma_2014.table_1 import table_1
from tfvae.papers.kingma_2014.table_4 import table_4

__all__ = ["BUDGETS", "DATA", "EXPERIMENTS", "INTRODUCTION", "TITLE", "Budget", "figure_1", "table_1", "table_4"]

TITLE = "Semi-supervised Learning with Deep Generative Models, reproduced"
INTRODUCTION = (
    "Experiments of Kingma, Mohamed, Rezende & Welling 2014 ([arXiv 1406.5298](https://arxiv.org/abs/1406.5298)) with "
    "MNIST: classification with few labels by M1 (latents of a VAE and a classifier), M2 (the label is a latent that "
    "is sometimes seen) and M1+M2 (an M2 of the latents of M1), analogies, and the log-likelihood given labels. "
    "[Semi-supervised models](../../semi-supervised.md) explains the models."
)

# Experiments by their name on the command line, in the order of the paper.
EXPERIMENTS = {"figure-1": figure_1, "table-1": table_1, "table-4": table_4}


def _mnist(job: Job) -> object:
    return mnist()


# Data that each experiment needs.
DATA: dict[str, tuple[Callable[[Job], object], ...]] = dict.fromkeys(EXPERIMENTS, (_mnist,))

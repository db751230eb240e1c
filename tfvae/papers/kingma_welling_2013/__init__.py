"""Auto-Encoding Variational Bayes, Kingma & Welling 2013, arXiv 1312.6114: one file per figure or appendix."""

from collections.abc import Callable

from tfvae.papers.job import Job
from tfvae.papers.kingma_welling_2013.algorithm_1 import AlgorithmOne, build_vae
from tfvae.papers.kingma_welling_2013.appendix_f import appendix_f
from tfvae.papers.kingma_welling_2013.budgets import BUDGETS, READINGS, Budget
from tfvae.papers.kingma_welling_2013.data_sets import DataSet, frey_face, mnist
from tfvae.papers.kingma_welling_2013.figure_2 import figure_2_frey_face, figure_2_mnist
from tfvae.papers.kingma_welling_2013.figure_3 import figure_3
from tfvae.papers.kingma_welling_2013.figure_4 import figure_4
from tfvae.papers.kingma_welling_2013.figure_5 import figure_5
from tfvae.papers.kingma_welling_2013.gradient_variance import gradient_variance
from tfvae.papers.kingma_welling_2013.monte_carlo_em import MonteCarloEM

__all__ = [
    "BUDGETS",
    "DATA",
    "EXPERIMENTS",
    "INTRODUCTION",
    "READINGS",
    "TITLE",
    "AlgorithmOne",
    "Budget",
    "MonteCarloEM",
    "appendix_f",
    "build_vae",
    "figure_2_frey_face",
    "figure_2_mnist",
    "figure_3",
    "figure_4",
    "figure_5",
    "gradient_variance",
]

TITLE = "Auto-Encoding Variational Bayes, reproduced"
INTRODUCTION = (
    "The experiments of Kingma & Welling 2013 ([arXiv 1312.6114](https://arxiv.org/abs/1312.6114)) run with tfvae. "
    "The paper shows its results as curves. The second column states its claims about them, the other two show whether "
    "our numbers support these. The table below each figure lists the setup, including our choices where the paper "
    "gives no details: the digits are binarised once by sampling from their gray values, and Frey Face is used "
    "unchanged, with values in [0, 1]."
)

# Experiments by their name on the command line, in the order of the paper.
EXPERIMENTS = {
    "gradient-variance": gradient_variance,
    "figure-2-mnist": figure_2_mnist,
    "figure-2-frey-face": figure_2_frey_face,
    "figure-3": figure_3,
    "figure-4": figure_4,
    "figure-5": figure_5,
    "appendix-f": appendix_f,
}


def _mnist(job: Job) -> DataSet:
    return mnist()


def _frey_face(job: Job) -> DataSet:
    return frey_face(job.data_dir)


# Data that each experiment needs.
DATA: dict[str, tuple[Callable[[Job], DataSet], ...]] = {
    **{name: (_mnist,) for name in EXPERIMENTS},
    "figure-2-frey-face": (_frey_face,),
    "figure-4": (_mnist, _frey_face),
}

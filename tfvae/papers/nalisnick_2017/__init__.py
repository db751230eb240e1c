"""Stick-Breaking Variational Autoencoders, Nalisnick & Smyth 2017, arXiv 1605.06197."""

from collections.abc import Callable

from tfvae.papers.job import Job
from tfvae.papers.nalisnick_2017.budgets import BUDGETS, Budget
from tfvae.papers.nalisnick_2017.mnist import images, mnist

__all__ = ["BUDGETS", "DATA", "EXPERIMENTS", "INTRODUCTION", "TITLE", "Budget", "mnist"]

TITLE = "Stick-Breaking Variational Autoencoders, reproduced"
INTRODUCTION = (
    "The experiments of Nalisnick & Smyth 2017 ([arXiv 1605.06197](https://arxiv.org/abs/1605.06197)) with MNIST: "
    "-log p(x) of the test images, and the error of k nearest neighbours in the latent space, for a Gaussian VAE and "
    "the three posteriors of a stick-breaking VAE. Gray values are the probabilities of pixels, as in the paper."
)

# Experiments by their name on the command line.
EXPERIMENTS = {"mnist": mnist}
# Data that each experiment needs.
DATA: dict[str, tuple[Callable[[Job], object], ...]] = {"mnist": (lambda job: images(),)}

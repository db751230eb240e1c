"""Reproductions of papers: each experiment with its setup, published numbers, our numbers and tested claims."""

import importlib
from typing import Any

__all__ = [
    "BUDGETS",
    "REPRODUCTIONS",
    "burda_2016",
    "kingma_2014",
    "kingma_welling_2013",
    "nalisnick_2017",
    "reproduce",
]

# Modules by their name on the command line. Each defines TITLE, INTRODUCTION, EXPERIMENTS, BUDGETS and DATA. READINGS,
# if it defines them, are settings of the budget for what the paper leaves open, the default first.
REPRODUCTIONS = {
    "kingma-welling-2013": "kingma_welling_2013",
    "burda-2016": "burda_2016",
    "kingma-2014": "kingma_2014",
    "nalisnick-2017": "nalisnick_2017",
}
BUDGETS = ("quick", "standard", "full")


def __getattr__(name: str) -> Any:
    # The command line reads the names without importing TensorFlow.
    if name == "reproduce":
        return importlib.import_module("tfvae.papers.reproduction").reproduce
    if name in REPRODUCTIONS.values():
        return importlib.import_module(f"tfvae.papers.{name}")
    raise AttributeError(f"module 'tfvae.papers' has no attribute {name!r}")

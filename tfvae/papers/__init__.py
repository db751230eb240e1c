"""Papers' experiments, each with its set-up, the published numbers, ours, and whether the claims hold."""

import importlib
from typing import Any

__all__ = ["BUDGETS", "REPRODUCTIONS", "burda_2016", "kingma_welling_2013", "reproduce"]

# By the name that the command line has for them. Each module has TITLE, INTRODUCTION, EXPERIMENTS and BUDGETS.
REPRODUCTIONS = {"kingma-welling-2013": "kingma_welling_2013", "burda-2016": "burda_2016"}
BUDGETS = ("quick", "standard", "full")


def __getattr__(name: str) -> Any:
    # The command line reads the names before TensorFlow is needed.
    if name == "reproduce":
        return importlib.import_module("tfvae.papers.reproduction").reproduce
    if name in REPRODUCTIONS.values():
        return importlib.import_module(f"tfvae.papers.{name}")
    raise AttributeError(f"module 'tfvae.papers' has no attribute {name!r}")

"""Sweeps: many runs from one file, and a table of them."""

from tfvae.sweeps.plan import Plan, PlannedRun, read_plan
from tfvae.sweeps.running import run_sweep

__all__ = ["Plan", "PlannedRun", "read_plan", "run_sweep"]

"""Sweeps: many runs from one file, and a table of them."""

from tfvae.sweeps.plan import Plan, read_plan
from tfvae.sweeps.planned_run import PlannedRun
from tfvae.sweeps.sweep import run_sweep

__all__ = ["Plan", "PlannedRun", "read_plan", "run_sweep"]

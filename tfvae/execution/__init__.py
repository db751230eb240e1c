"""Execution of training steps: compiled loops, device batches, steps per call, and replicas."""

from tfvae import _backend as _backend
from tfvae.execution.execution import Execution
from tfvae.execution.protocols import KnowsExecutions, SharesCallbacks

__all__ = ["Execution", "KnowsExecutions", "SharesCallbacks"]

"""Models: the VAE, its objectives, and saving."""

from tfvae import _backend as _backend
from tfvae.models.batch import Batch
from tfvae.models.check_saving import check_saving
from tfvae.models.load import load_model
from tfvae.models.objective import Bound, Loss, Objective, Update
from tfvae.models.vae import VAE

__all__ = ["VAE", "Batch", "Bound", "Loss", "Objective", "Update", "check_saving", "load_model"]

"""A page to explore the latent space of a trained model; needs the extra `serve`."""

from tfvae.serving.explore.app import add_explore
from tfvae.serving.explore.explored_model import Encoded, ExploredModel
from tfvae.serving.explore.from_run import explored_program, explored_run

__all__ = ["Encoded", "ExploredModel", "add_explore", "explored_program", "explored_run"]

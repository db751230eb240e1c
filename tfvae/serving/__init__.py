"""Serving over HTTP: TensorFlow Serving's REST API for an exported model; needs the extra `serve`."""

from tfvae.serving.limits import Limits
from tfvae.serving.rest import make_app
from tfvae.serving.running import run_app
from tfvae.serving.served_model import ServedModel

__all__ = ["Limits", "ServedModel", "make_app", "run_app"]

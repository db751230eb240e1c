"""HTTP server for exported models with the REST API of TensorFlow Serving. Requires the extra `serve`."""

from tfvae._extras import how_to_install

try:
    from tfvae.serving.limits import Limits
    from tfvae.serving.rest import make_app
    from tfvae.serving.running import run_app
    from tfvae.serving.served_model import ServedModel
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(how_to_install(error, "tfvae.serving", "serve"), name=error.name) from error

__all__ = ["Limits", "ServedModel", "make_app", "run_app"]

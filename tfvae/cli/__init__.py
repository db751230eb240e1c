"""Command line of tfvae. `main` is the console script `tfvae`."""

from tfvae.cli.app import main

__all__ = ["main"]

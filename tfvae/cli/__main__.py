"""Entry point of `python -m tfvae.cli`, for when the console script is not on the path."""

from tfvae.cli.app import main

main()

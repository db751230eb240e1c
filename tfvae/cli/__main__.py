"""`python -m tfvae.cli`, where the console script is not on the path."""

from tfvae.cli.app import main

main()

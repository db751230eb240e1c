"""Command lines in this process."""

import sys

import pytest

from tfvae.cli.app import main


@pytest.fixture
def tfvae_command(monkeypatch, capfd):
    """Runs a command line in this process; returns its exit code, its output and its errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["tfvae", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run

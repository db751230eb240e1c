"""What is said where the packages of the extra `serve` are not installed."""

import importlib
import sys

import pytest

import tfvae.serving
from tfvae.cli import loading

SAID = r"tfvae\.serving needs {}, which is not installed. Run pip install 'tfvae\[serve\]', or in a checkout"


@pytest.fixture(params=["fastapi", "uvicorn", "orjson", "prometheus_client"])
def missing(request, monkeypatch):
    """A package that cannot be imported, and nothing of ours that has imported it already."""
    for name in [*sys.modules]:
        if name.startswith(("tfvae.serving", "tfvae.cli.commands", f"{request.param}.")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(tfvae, "serving")
    monkeypatch.setitem(sys.modules, request.param, None)
    return request.param


def test_an_import_says_what_to_install(missing):
    with pytest.raises(ModuleNotFoundError, match=SAID.format(missing)) as caught:
        importlib.import_module("tfvae.serving")
    assert caught.value.name == missing


def test_commands_say_what_to_install(missing):
    for name in ("serving", "explore"):
        with pytest.raises(ValueError, match=SAID.format(missing)):
            loading.commands(name)


def test_a_mistake_of_our_own_is_no_missing_package(monkeypatch):
    for name in [*sys.modules]:
        if name.startswith("tfvae.serving"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tfvae.serving.limits", None)
    with pytest.raises(ModuleNotFoundError, match=r"tfvae\.serving\.limits"):
        importlib.import_module("tfvae.serving")

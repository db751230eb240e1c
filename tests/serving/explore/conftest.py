"""A small run, one server for it, and one headless Chromium, for all tests of the page."""

import os
import shutil

import pytest

for name in ("fastapi", "uvicorn"):
    pytest.importorskip(name, reason="needs the extra serve: pip install 'tfvae[serve]'")

from explore_server import make_run, serving  # noqa: E402

from tfvae.serving.explore import explored_run  # noqa: E402
from tfvae.training.saved_run import load_run  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory):
    path = tmp_path_factory.mktemp("explore") / "small-digits"
    return load_run(make_run(path, {"data": {"name": "digits"}, "model": {"latent_size": 2, "hidden": (32,)}}))


@pytest.fixture(scope="session")
def explored(digits_run):
    return explored_run(digits_run, num_examples=200)


@pytest.fixture(scope="session")
def address(explored):
    with serving(explored) as found:
        yield found


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    named = os.environ.get("TFVAE_CHROMIUM")
    path = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"needs a browser: none of {', '.join(BROWSERS)} is on the PATH, and TFVAE_CHROMIUM names none")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()

"""`tfvae explore`, up to the moment it would listen."""

import shutil
import webbrowser
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tfvae import serving
from tfvae.cli import app as command_line
from tfvae.training.run_folder import RunFolder

SERVED = Path(__file__).parents[3] / "saved_models" / "digits_vae" / "1"


@pytest.fixture
def explore(monkeypatch, capsys):
    """Runs the command with a server that does not listen; gives its app, what was said, and the page it opened."""

    def run(*arguments):
        served, opened = [], []

        def run_app(app, host, port, *, allowed_hosts, on_start, required):
            served.append((app, host, port))
            on_start(f"http://{host}:{port}")

        monkeypatch.setattr(serving, "run_app", run_app)
        monkeypatch.setattr(webbrowser, "open", opened.append)
        monkeypatch.setattr("sys.argv", ["tfvae", "explore", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            command_line.main()
        found = capsys.readouterr()
        return stop.value.code or 0, served, opened, found.out + found.err

    return run


def test_the_page_stands_beside_the_rest_api(explore, digits_run, tmp_path):
    path = tmp_path / "my digits"  # of which no part of an address has the space
    shutil.copytree(digits_run.folder.path, path)
    shutil.copytree(SERVED, RunFolder(path).saved_model)
    code, [(app, host, port)], opened, said = explore(path, "--open", "-n", 50, "--split", "train")
    assert code == 0
    assert (host, port) == ("127.0.0.1", 8600)
    assert opened == ["http://127.0.0.1:8600/explore/"]
    assert "encoding 50 examples of digits/train" in said
    assert "http://127.0.0.1:8600/explore/" in said
    client = TestClient(app)
    model = client.get("/explore/api/model").json()
    assert (model["name"], model["num_examples"]) == ("my digits", 50)
    assert client.get("/explore/").status_code == 200
    assert client.get("/").url.path == "/explore/"
    assert '<a href="/explore/">' in client.get("/docs").text
    assert "http://127.0.0.1:8600/v1/models/my-digits," in said
    assert client.get("/v1/models/my-digits").json()["model_version_status"][0]["state"] == "AVAILABLE"
    # Each answers its own mistakes.
    assert "from 0 to 49" in client.get("/explore/api/example/50").json()["error"]
    assert client.get("/v1/models/other").status_code == 404


def test_what_cannot_be_explored_is_one_sentence(explore, tmp_path, digits_run):
    code, served, _, said = explore(tmp_path, "--no-open")
    assert (code, served) == (1, [])
    assert "not a run folder" in said
    code, served, _, said = explore(digits_run.folder.path, "--no-open", "--split", "validation")
    assert (code, served) == (1, [])
    assert "Choose train or test" in said

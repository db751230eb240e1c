"""What the package says of itself to installers, and the image that serves a run."""

import configparser
import hashlib
import json
import re
from pathlib import Path

import pytest
from typer.main import get_command

from tfvae.cli.app import app

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def setup():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_the_licence_is_apache_2(setup):
    """Its text to the letter."""
    text = (ROOT / "LICENSE").read_bytes()
    assert hashlib.sha256(text).hexdigest() == "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
    assert (setup["metadata"]["license"], setup["metadata"]["license_files"]) == ("Apache-2.0", "LICENSE")


def test_python_ends_where_tensorflow_does(setup):
    assert setup["options"]["python_requires"] == ">=3.11, <3.14"


def test_the_image_is_made_of_what_is_there(setup):
    """Docker is rarely at hand where tests run: its instructions are read, and its command is parsed."""
    text = (ROOT / "Dockerfile").read_text()
    kept = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    copied = [name for names in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for name in names.split()]
    assert sorted(copied) == sorted(kept)
    assert all((ROOT / name).exists() for name in copied)
    assert setup["metadata"]["license_files"] in copied
    assert setup["metadata"]["long_description"].removeprefix("file: ") in copied
    (extra,) = re.findall(r"pip install --no-cache-dir '\.\[(\w+)\]'", text)
    assert extra in setup["options.extras_require"]
    program, name, *arguments = json.loads(re.search(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)[1])
    assert program in setup["options.entry_points"]["console_scripts"]
    parsed = get_command(app).commands[name].make_context(name, [*arguments, "--name", "digits"])
    assert (parsed.params["host"], parsed.params["name"]) == ("0.0.0.0", "digits")
    assert f"EXPOSE {parsed.params['port']}" in text
    assert f":{parsed.params['port']}/healthz" in text

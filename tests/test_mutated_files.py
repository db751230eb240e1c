"""Files of every kind, spoiled at random: what reads them gives a result, or one line with the file's name."""

import io
import json
import shutil
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_models import small_vae

from tfvae.data.checks import check_name
from tfvae.data.load import load
from tfvae.data.shard_header import ShardHeader
from tfvae.export import read_manifest
from tfvae.export.manifest import write_manifest
from tfvae.models.load import load_vae
from tfvae.training.comparison import read_runs
from tfvae.training.comparison_page import comparison_markdown
from tfvae.training.config import RunConfig
from tfvae.training.html_report import write_html_report
from tfvae.training.training_state import TrainingState

TOKENS = [
    *(mark * 3000 for mark in (b"[", b"{", b'{"a":')),
    *(b"9" * 400, b"9" * 5000, b"-1", b"1e400", b"NaN", b"null", b"true", b'""', b"[]", b"{}", b"(", b")", b"|O"),
    *(b"\0", b"\n", b"\xff", b"\x1b[2J", b"x" * 10_000, b"'", b'"', b",", b"=", b"PK\x03\x04"),
]

SPOILING = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), st.floats(0, 1), st.integers(0, 7)),
        st.tuples(st.just("cut"), st.floats(0, 1), st.just(0)),
        st.tuples(st.just("copy"), st.floats(0, 1), st.floats(0, 1)),
        st.tuples(st.just("insert"), st.floats(0, 1), st.sampled_from(TOKENS)),
        st.tuples(st.just("replace"), st.floats(0, 1), st.sampled_from(TOKENS)),
        st.tuples(st.just("all"), st.just(0.0), st.sampled_from(TOKENS)),
    ),
    min_size=1,
    max_size=3,
)


def spoiled(content, steps):
    content = bytearray(content)
    for kind, where, what in steps:
        if not content:
            break
        at = min(int(where * len(content)), len(content) - 1)
        if kind == "flip":
            content[at] ^= 1 << what
        elif kind == "cut":
            del content[at:]
        elif kind == "copy":
            start = int(what * len(content))
            content[at : at + 30] = content[start : start + 30]
        elif kind == "insert":
            content[at:at] = what
        elif kind == "replace":
            content[at : at + len(what)] = what
        else:
            content[:] = what
    return bytes(content)


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(contents):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Whole files, and a run and its twin."""
    folder = tmp_path_factory.mktemp("files")
    x = np.linspace(0, 1, 30, dtype="float32").reshape(10, 3)
    np.save(folder / "x.npy", x)
    np.savez_compressed(folder / "x.npz", x=x, y=np.arange(10))
    run, record = folder / "run", {"mean": -1.5, "standard_error": 0.5, "num_examples": 3, "num_importance_samples": 5}
    run.mkdir()
    config = RunConfig.from_dict({"data": {"name": "digits"}, "model": {"likelihood": "bernoulli"}})
    report = {"elbo": record, "log_marginal": record, "split": "digits/test", "epochs": 2, "training_seconds": 2.5}
    (run / "config.toml").write_text(config.to_toml())
    (run / "report.json").write_text(json.dumps(report | {"config": config.to_dict()}))
    (run / "report.md").write_text("# A run\n\n![A picture](figures/a.png)\n")
    (run / "metrics.csv").write_text("epoch,elbo,kl\n0,-2.5,0.5\n1,-1.5,0.25\n")
    (run / "environment.json").write_text('{"tfvae": "1.0", "packages": {"tensorflow": "2.21"}, "commit": null}')
    shutil.copytree(run, folder / "twin")
    header = ShardHeader("x", (3,), "uint8", 256, (0.0, 1.0), False, {"train": (2,)})
    (folder / "shards").mkdir()
    frame = (3).to_bytes(8, "little") + bytes(4) + b"\1\2\3" + bytes(4)
    (folder / "shards" / "train-00000-of-00001.tfrecord").write_bytes(2 * frame)
    header.with_checksums(folder / "shards").write(folder / "shards")
    (folder / "assets.extra").mkdir()
    write_manifest(folder, {"signatures": {}})
    small_vae().save(folder / "vae.keras")
    (folder / "state.keras").write_bytes(zipped({"config.json": b"{}"}))
    TrainingState(3, 2, ((1.0, 2.0),), 1.5, -3.0, 0, "epoch\n", config.to_dict()).add_to(folder / "state.keras")
    return folder


READERS = {
    "x.npy": load,
    "x.npz": load,
    "run/config.toml": RunConfig.from_toml,
    "run/report.json": lambda path: comparison_markdown(read_runs([path.parent, path.parent.with_name("twin")])),
    "run/metrics.csv": lambda path: read_runs([path.parent, path.parent.with_name("twin")]),
    "run/environment.json": lambda path: write_html_report(path.parent, path.parent / "r.html"),
    "run/report.md": lambda path: write_html_report(path.parent, path.parent / "r.html"),
    "shards/shards.json": lambda path: ShardHeader.read(path.parent),
    "shards/train-00000-of-00001.tfrecord": lambda path: ShardHeader.read(path.parent),
    "assets.extra/tfvae.json": lambda path: read_manifest(path.parents[1]),
    "vae.keras": load_vae,
    "state.keras": TrainingState.read,
}
# Archives whose checksums would tell any change of the packed bytes: members are spoiled, and packed again.
WITHIN = {"x.npz": "x.npy", "vae.keras": "config.json", "state.keras": "training_state.json"}
SOME = {"vae.keras": 12}


@pytest.mark.parametrize("name", READERS)
def test_a_result_or_one_line_with_the_files_name(files, name):
    path = files / name
    whole = path.read_bytes()
    inner = members(path) if name in WITHIN else {}

    @settings(
        max_examples=SOME.get(name, 40), derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(SPOILING, st.booleans())
    def read(steps, is_inside):
        if is_inside and name in WITHIN:
            content = zipped(inner | {WITHIN[name]: spoiled(inner[WITHIN[name]], steps)})
        else:
            content = spoiled(whole, steps)
        path.write_bytes(content)
        try:
            READERS[name](path)
        except (ValueError, OSError) as error:
            text = str(error)
            assert path.name in text or path.parent.name in text
            assert text.isprintable()
            assert len(text) < 2000

    try:
        READERS[name](path)
        read()
        if name in ("x.npy", "x.npz"):
            path.write_bytes(whole)
            check_name(path)
    finally:
        path.write_bytes(whole)

"""Runs side by side, and a report as one file, from what run folders hold."""

import base64
import html.parser
import io
import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from typer.testing import CliRunner

from tfvae.cli.app import app
from tfvae.training.comparison import best, comparison_figure, comparison_markdown, groups, read_runs, write_comparison
from tfvae.training.config import RunConfig
from tfvae.training.html_report import write_html_report


def record(mean, **more):
    return {"mean": mean, "standard_error": 0.25, "unit": "nats", "num_examples": 360, **more}


def make_run(path, elbo=-20.5, *, log_marginal=-19.5, split="digits/test", k=500, epochs=3, **model):
    """A run folder as training leaves it, without the model."""
    config = RunConfig.from_dict({"data": {"name": "digits"}, "model": {"likelihood": "bernoulli", **model}})
    path.mkdir(parents=True)
    (path / "config.toml").write_text(config.to_toml())
    (path / "report.json").write_text(
        json.dumps(
            {
                "elbo": record(elbo),
                "log_marginal": record(log_marginal, num_importance_samples=k),
                "active_units": {"num_active": 2, "active": [True, True, False]},
                "split": split,
                "epochs": epochs,
                "training_seconds": 1234.5,
                "config": config.to_dict(),
            }
        )
    )
    rows = [f"{i},{-30 + i},{-31 + i},5,4,-25,-26" for i in range(epochs)]
    columns = "epoch,elbo,val_elbo,kl,val_kl,log_likelihood,val_log_likelihood"
    (path / "metrics.csv").write_text("\n".join([columns, *rows]) + "\n")
    return path


def test_table_and_picture(tmp_path):
    paths = [make_run(tmp_path / "a" / "x", latent_size=3), make_run(tmp_path / "b" / "x", -19.75, posterior="tril")]
    runs = read_runs(paths)
    assert [run.name for run in runs] == ["a/x", "b/x"]
    written = write_comparison(runs, tmp_path / "out")
    text = written.read_text()
    assert "On digits/test, 360 examples" in text
    assert (
        "| a/x | mlp 500, 3 latents, diag | B, L = 1 | -20.500 ± 0.250 | **-19.500 ± 0.250** | 2 of 3 | 3 | 1,234 s"
        in (text)
    )
    assert "| **-19.750 ± 0.250** |" in text
    assert imread(tmp_path / "out" / "comparison.png").std() > 0.02
    axes = comparison_figure(runs).axes
    drawn = [line.get_ydata() for line in axes[0].lines]
    assert [list(line) for line in drawn] == 2 * [[-30, -29, -28], [-31, -30, -29]]  # training, validation
    assert [line.get_xdata()[0] for line in axes[0].lines] == 4 * [1]


@pytest.mark.parametrize("change", [{"split": "mnist/test"}, {"k": 5000}])
def test_what_is_not_comparable_is_not_in_one_table(tmp_path, change):
    runs = read_runs([make_run(tmp_path / "a"), make_run(tmp_path / "b", -10.0, **change), make_run(tmp_path / "c")])
    assert [[run.name for run in group] for group in groups(runs).values()] == [["a", "c"], ["b"]]
    assert best([runs[1]], "ELBO") is None
    assert comparison_markdown(runs).count("| run | model |") == 2
    assert [len(axes.lines) for axes in comparison_figure(runs).axes] == [4, 4, 4, 2, 2, 2]  # nor on one axis


def test_reports_of_earlier_versions_and_short_runs(tmp_path):
    old, short = make_run(tmp_path / "old"), make_run(tmp_path / "short", epochs=0)
    report = json.loads((old / "report.json").read_text())
    del report["active_units"]
    (old / "report.json").write_text(json.dumps(report))
    (short / "metrics.csv").unlink()
    runs = read_runs([old, short])
    assert runs[0].cells["active units"] == ""
    write_comparison(runs, tmp_path)


def test_bad_runs_are_one_clear_error(tmp_path):
    run, other = make_run(tmp_path / "run"), make_run(tmp_path / "other")
    with pytest.raises(ValueError, match="two or more different runs"):
        read_runs([run])
    with pytest.raises(ValueError, match="two or more different runs"):
        read_runs([run, other, tmp_path / "other" / ".." / "run"])
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path, tmp_path / "loop"):
        with pytest.raises(ValueError, match="no run folder"):
            read_runs([run, path])
    (other / "report.json").write_text('{"elbo": ')
    with pytest.raises(ValueError, match=r"report.json cannot be read.*tfvae evaluate"):
        read_runs([run, other])
    (other / "report.json").unlink()
    with pytest.raises(ValueError, match=r"has no report yet.*tfvae evaluate"):
        read_runs([run, other])


class Page(html.parser.HTMLParser):
    """Addresses, texts and open tags of a page."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.tags, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.texts.append(data)


def test_report_is_one_file(tmp_path):
    run = make_run(tmp_path / "run")
    figure, buffer = Figure(figsize=(1, 1)), io.BytesIO()
    figure.add_subplot().plot([1, 3])
    figure.savefig(buffer, format="png")
    (run / "figures").mkdir()
    (run / "figures" / "prior_samples.png").write_bytes(buffer.getvalue())
    (run / "report.md").write_text(
        "# x <script>alert(1)</script>\n\n| a | b |\n| --- | ---: |\n| KL(q\\|\\|p) | 1.5 |\n\n"
        "![Samples](figures/prior_samples.png)\n\n![Gone](figures/gone.png)\n"
    )
    (run / "environment.json").write_text(json.dumps({"tfvae": "9.9", "packages": {"tensorflow": "2.x"}}))
    path = write_html_report(run)
    assert path == run / "report.html"
    page = Page(path.read_text())
    (picture,) = page.addresses
    head, _, content = picture.partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(content) == buffer.getvalue()
    assert "Gone (no picture of this run: figures/gone.png)" in "".join(page.texts)
    assert "script" not in page.tags
    assert {"table", "details"} <= set(page.tags)
    text = "".join(page.texts)
    for part in ("<script>alert(1)</script>", "KL(q||p)", "latent_size", "tfvae 9.9 with TensorFlow 2.x"):
        assert part in text
    assert write_html_report(run, tmp_path / "elsewhere.html").read_text() == path.read_text()
    (run / "report.md").unlink()
    with pytest.raises(ValueError, match=r"has no report yet.*tfvae evaluate"):
        write_html_report(run)


def test_no_other_file_than_the_runs_own_pictures_goes_into_a_report(tmp_path):
    run, secret, png = make_run(tmp_path / "run"), tmp_path / "secret.png", b"\x89PNG\r\n\x1a\n"
    secret.write_bytes(png + b"secret")
    (tmp_path / "run-2").mkdir()
    (tmp_path / "run-2" / "a.png").write_bytes(png + b"secret")
    (run / "link.png").symlink_to(secret)
    (run / "folder").symlink_to(tmp_path)
    (run / "loop.png").symlink_to("loop.png")
    (run / "notes.png").write_text("a secret, and no picture")
    (run / "my picture.jpg").write_bytes(b"\xff\xd8\xff mine")
    sources = [
        str(secret), "../secret.png", "..%2Fsecret.png", "%2e%2e/secret.png", f"file://{secret}", "folder/secret.png",
        "folder/run-2/a.png", "../run-2/a.png", "link.png", "loop.png", "notes.png", "config.toml", "report.md",
        "http://127.0.0.1/secret.png", "//127.0.0.1/x.png", "a" * 5000, "a%00b", "data:image/png;base64,c2VjcmV0",
        "", "figures", "my%20picture.jpg",
    ]  # fmt: skip
    (run / "report.md").write_text("# x\n\n" + "\n\n".join(f'![words](<{source}> "title")' for source in sources))
    text = write_html_report(run).read_text()
    assert Page(text).addresses == ["data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8\xff mine").decode()]
    # Markdown itself takes an address of the kind file: for no picture.
    assert text.count("<em>words (no picture of this run: ") == len(sources) - 2


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("report.json", "[]"),
        ("report.json", "null"),
        ("report.json", DEEP),
        ("report.json", b"\xff"),
        ("report.json", "1" + "0" * 5000),
        *((f"report.json/{key}", None) for key in ("elbo", "log_marginal", "split", "config", "epochs")),
        ("report.json/elbo", 3),
        ("report.json/elbo", {"mean": "x", "standard_error": 1, "num_examples": 3}),
        ("report.json/log_marginal", {"mean": 1, "standard_error": 10**400, "num_importance_samples": 3}),
        ("report.json/training_seconds", 10**400),
        ("report.json/split", "x" * 100_000),
        ("report.json/active_units", [3]),
        ("config.toml", DEEP),
        ("metrics.csv", "epoch,elbo\n0,x\n"),
        ("metrics.csv", "epoch,elbo\n0,1,2,3\n"),
        ("metrics.csv", "epoch,elbo\n0," + "1" * 200_000 + "\n"),
        ("metrics.csv", b"epoch,elbo\n0,\xff\n"),
    ],
)
def test_edited_run_files_are_one_short_sentence_with_their_name(tmp_path, name, content):
    run, other = make_run(tmp_path / "run"), make_run(tmp_path / "other")
    name, _, key = name.partition("/")
    if key:
        report = json.loads((run / name).read_text())
        report[key] = content
        if content is None:
            del report[key]
        content = json.dumps(report)
    (run / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=f"run/{name}") as refused:
        read_runs([run, other])
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize("content", ["[]", "3", '{"packages": []}', DEEP, b"\xff", '"x"'])
def test_an_edited_environment_is_one_short_sentence(tmp_path, content):
    run = make_run(tmp_path / "run")
    (run / "report.md").write_text("# x\n")
    (run / "environment.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=r"environment\.json cannot be read") as refused:
        write_html_report(run)
    assert len(str(refused.value)) < 500


def test_numbers_that_are_none_leave_gaps_in_the_curves(tmp_path):
    runs = [make_run(tmp_path / name) for name in "abc"]
    columns, *rows = (runs[0] / "metrics.csv").read_text().splitlines()
    (runs[0] / "metrics.csv").write_text("\n".join([columns, *rows, "3,nan,inf,-inf,nan,nan,1e400", ""]))
    (runs[1] / "metrics.csv").write_text(f"{columns}\n0,nan,nan,nan,nan,nan,nan\n")
    figure = comparison_figure(read_runs(runs))
    assert figure.axes[0].get_ylim()[0] < -30 < -28 < figure.axes[0].get_ylim()[1] < 0
    write_comparison(read_runs(runs), tmp_path)


@pytest.mark.parametrize("num_runs", [2, 5])
def test_command_line(tmp_path, num_runs):
    runs = [str(make_run(tmp_path / f"run{i}", -20.0 - i)) for i in range(num_runs)]
    done = CliRunner().invoke(app, ["compare", *runs, "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    for i in range(num_runs):
        assert f"run{i}" in done.output
        assert f"{-20 - i:.3f} ± 0.250" in done.output
    assert np.all([(tmp_path / "out" / name).exists() for name in ("comparison.md", "comparison.png")])

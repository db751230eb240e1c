"""Runs side by side, and a report as one file, from what run folders hold."""

import base64
import html.parser
import io
import json
import os
import re
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

from tfvae.cli.app import app
from tfvae.training.comparison import (
    about_differences,
    behind,
    best,
    differences,
    groups,
    read_runs,
)
from tfvae.training.comparison_figure import comparison_charts, comparison_figure
from tfvae.training.comparison_page import comparison_markdown, write_comparison
from tfvae.training.config import RunConfig
from tfvae.training.html_report import write_html_report
from tfvae.training.per_example import write_per_example

SVG = "{http://www.w3.org/2000/svg}"


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
    assert "| a/x | mlp 500, 3 latents, diag | B, L = 1 | -20.500 ± 0.250 | -19.500 ± 0.250 | 2 of 3 | 3 | 1,234 s" in (
        text
    )
    assert "| **-19.750 ± 0.250** |" in text  # 0.75 ahead, with an error of 0.35
    assert "| a/x | 0.750 ± 0.354 | highest |" in text
    assert "| b/x | highest | 0.000 ± 0.354 |" in text
    assert "For a/x, b/x the errors of both means are combined" in text
    assert "![Curves](comparison.svg)" in text
    assert (tmp_path / "out" / "comparison.svg").read_text() == comparison_figure(runs)
    lines = comparison_charts(runs)[0][0].lines
    assert [line.y for line in lines] == 2 * [[-30, -29, -28], [-31, -30, -29]]  # training, validation
    assert [line.is_dashed for line in lines] == 2 * [True, False]
    assert [line.x for line in lines] == 4 * [[1, 2, 3]]


def test_differences_are_those_of_the_same_examples(tmp_path):
    rng = np.random.default_rng(0)
    x, hard = rng.normal(size=(360, 3)), 5 * rng.normal(size=360)
    elbos = {"a": hard - 20.0, "b": hard - 20.2 + 0.3 * rng.normal(size=360), "c": hard - 20.01 + rng.normal(size=360)}
    paths = []
    for name, values in elbos.items():
        paths.append(make_run(tmp_path / name, float(values.mean()), log_marginal=float(values.mean()) + 1))
        write_per_example(paths[-1] / "per_example.npz", x, {"elbo": values, "log_marginal": values + 1})
    runs = read_runs(paths)
    apart = behind(runs, "ELBO")
    for name in ("b", "c"):
        difference = elbos["a"] - elbos[name]
        assert apart[name].is_paired
        assert apart[name].mean == pytest.approx(difference.mean())
        assert apart[name].standard_error == pytest.approx(difference.std(ddof=1) / np.sqrt(360))
    # Ahead of b beyond any doubt, though the errors of both are larger than the difference; not of c.
    assert apart["b"].is_clear
    assert best(runs[:2], "ELBO") is runs[0]
    assert best(runs, "ELBO") is None
    assert differences(runs)[1] == ("b", str(apart["b"]), str(behind(runs, "log p(x)")["b"]))
    assert "combined" not in about_differences(runs)
    # What was measured on other examples is not paired, nor what is of an earlier report.
    write_per_example(paths[1] / "per_example.npz", x + 1, {"elbo": elbos["b"]})
    write_per_example(paths[2] / "per_example.npz", x, {"elbo": elbos["c"] - 5})
    apart = behind(read_runs(paths), "ELBO")
    assert not any(found.is_paired for found in apart.values())
    assert apart["b"].standard_error == pytest.approx(0.25 * np.sqrt(2))


def test_what_could_not_be_measured_is_not_compared(tmp_path):
    paths = [make_run(tmp_path / name) for name in "ab"]
    report = json.loads((paths[1] / "report.json").read_text())
    report["log_marginal"] |= {"mean": None, "standard_error": None}
    (paths[1] / "report.json").write_text(json.dumps(report))
    text = comparison_markdown(read_runs(paths))
    assert "| b | 0.000 ± 0.354 | unknown |" in text
    assert "| b | mlp 500, 10 latents, diag | B, L = 1 | -20.500 ± 0.250 | unknown |" in text


@pytest.mark.parametrize("change", [{"split": "mnist/test"}, {"k": 5000}])
def test_what_is_not_comparable_is_not_in_one_table(tmp_path, change):
    runs = read_runs([make_run(tmp_path / "a"), make_run(tmp_path / "b", -10.0, **change), make_run(tmp_path / "c")])
    assert [[run.name for run in group] for group in groups(runs).values()] == [["a", "c"], ["b"]]
    assert best([runs[1]], "ELBO") is None
    assert comparison_markdown(runs).count("| run | model |") == 2
    charts = comparison_charts(runs)
    assert [[len(chart.lines) for chart in row] for row in charts] == [[4, 4, 4], [2, 2, 2]]  # nor on one axis


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
        with pytest.raises(ValueError, match="not a run folder"):
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
    assert "Gone (not a picture of this run: figures/gone.png)" in "".join(page.texts)
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
    assert text.count("<em>words (not a picture of this run: ") == len(sources) - 2


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
        ("report.json/training_seconds", "long"),
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


def test_a_text_in_place_of_a_number_is_named(tmp_path):
    run, other = make_run(tmp_path / "run", "high"), make_run(tmp_path / "other")
    with pytest.raises(
        ValueError, match=r"run/report\.json cannot be read: it has no number under 'mean'.*mean='high'"
    ):
        read_runs([run, other])


@pytest.mark.parametrize(
    "content",
    [
        "epoch,elbo,val_elbo\n0,1e308\n1,-1e308\n",
        "epoch,elbo,val_elbo\n0,1e308,-1e308\n1,-1e308,1e308\n",
        "epoch,elbo,val_elbo\n1e308,1e308,1\n-1e308,-1e308,2\n",
        "epoch,elbo,val_elbo\n1e30,1e30,1\n-1e30,-1e30,2\n",
        "elbo,val_elbo\n-30,-31\n-29,-30\n",
    ],
)
def test_edited_curves_are_drawn_as_far_as_they_can_be(tmp_path, content):
    runs = [make_run(tmp_path / name) for name in "ab"]
    (runs[0] / "metrics.csv").write_text(content)
    write_comparison(read_runs(runs), tmp_path)
    figure = ElementTree.parse(tmp_path / "comparison.svg").getroot()
    for path in figure.iter(f"{SVG}path"):
        numbers = re.findall(r"[^MLHVh ]+", path.get("d"))
        assert all(abs(float(number)) < 1e6 for number in numbers)


def test_numbers_that_are_none_leave_gaps_in_the_curves(tmp_path):
    runs = [make_run(tmp_path / name) for name in "abc"]
    columns, *rows = (runs[0] / "metrics.csv").read_text().splitlines()
    (runs[0] / "metrics.csv").write_text("\n".join([columns, *rows, "3,nan,inf,-inf,nan,nan,1e400", ""]))
    (runs[1] / "metrics.csv").write_text(f"{columns}\n0,nan,nan,nan,nan,nan,nan\n")
    low, high = comparison_charts(read_runs(runs))[0][0].y_limits
    assert low < -30 < -28 < high < 0
    write_comparison(read_runs(runs), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1200])
def test_no_column_of_a_report_is_lost_on_a_phone(tmp_path, width):
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    path = os.environ.get("TFVAE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs a browser")
    run = make_run(tmp_path / "run")
    lines = [
        "# x",
        "",
        "| quantity | value ± examples | ± draws | unit |",
        "| --- | ---: | ---: | --- |",
        "| log p(x), 500 importance samples | -1234.567 ± 12.345 | 0.00021 | nats |",
        "",
        "| dimension | KL | ± examples | ± draws | variance of E[z] | ± examples |",
        "| --- | --- | --- | --- | --- | --- |",
        "| 12 | 0.1234 | 0.0123 | exact | 0.1234 | 0.0123 |",
    ]
    (run / "report.md").write_text("\n".join(lines) + "\n")
    page_path = write_html_report(run)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.goto(page_path.as_uri())
        widths = page.evaluate("[...document.querySelectorAll('table')].map(t => [t.scrollWidth, t.clientWidth])")
        assert len(widths) == 2
        assert all(needed <= shown for needed, shown in widths)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        browser.close()


@pytest.mark.parametrize("num_runs", [2, 5])
def test_command_line(tmp_path, num_runs):
    runs = [str(make_run(tmp_path / f"run{i}", -20.0 - i)) for i in range(num_runs)]
    done = CliRunner().invoke(app, ["compare", *runs, "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    for i in range(num_runs):
        assert f"run{i}" in done.output
        assert f"{-20 - i:.3f} ± 0.250" in done.output
    assert np.all([(tmp_path / "out" / name).exists() for name in ("comparison.md", "comparison.svg")])

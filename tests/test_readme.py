"""The examples in README and docs run as they stand, and the README says what is there."""

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from small_models import few_signatures, without_xla

import tfvae

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "docs/conditional.md",
    "docs/contributing.md",
    "docs/data.md",
    "docs/estimators.md",
    "docs/evaluation.md",
    "docs/experiments.md",
    "docs/layers.md",
    "docs/litert.md",
    "docs/missing-data.md",
    "docs/posteriors-and-priors.md",
    "docs/reparameterisation.md",
    "docs/semi-supervised.md",
    "docs/two-ways-to-build.md",
    "docs/your-data.md",
)


def examples(page):
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_examples_run(page, tmp_path):
    """Each page in a process of its own."""
    code = "\n".join(examples(page))
    assert code
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    if page == "README.md":
        check_readme(result.stdout, tmp_path)


def test_examples_of_the_readme_run_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with without_xla(), few_signatures("reconstruct"), contextlib.redirect_stdout(io.StringIO()) as said:
        exec("\n".join(examples("README.md")), {"__name__": "__main__"})
    check_readme(said.getvalue(), tmp_path)


def check_readme(said, folder):
    assert "Record(log_marginal = -" in said
    assert "(5, 8, 8, 1)" in said
    assert (folder / "vae.keras").exists()
    assert (folder / "digits" / "1" / "saved_model.pb").exists()
    assert list(folder.glob("logs/train/*tfevents*"))
    assert list(folder.glob("logs/validation/*tfevents*"))


def test_links_lead_to_files():
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([\w./-]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_table_names_what_is_public():
    rows = re.findall(r"^\| `tfvae\.(\w+)` \| (.+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {name for name, _ in rows} == set(tfvae.__all__) - {"__version__", "load_model"}
    for package, text in rows:
        names = [name for name in re.findall(r"`(\w+)`", text) if name[0].isupper()]
        missing = [name for name in names if not hasattr(getattr(tfvae, package), name)]
        assert not missing, f"tfvae.{package}: {missing}"

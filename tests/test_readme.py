"""The examples in README and docs run as they stand, and the README says what is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import tfvae

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    *(
        pytest.param(f"docs/{name}.md", marks=pytest.mark.slow)
        for name in (
            "contributing",
            "estimators",
            "evaluation",
            "layers",
            "litert",
            "reparameterisation",
            "two-ways-to-build",
        )
    ),
)


def examples(page):
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_examples_run(page, tmp_path):
    code = "\n".join(examples(page))
    assert code
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    if page == "README.md":
        assert "Record(log_marginal = -" in result.stdout
        assert "(5, 8, 8, 1)" in result.stdout
        assert (tmp_path / "vae.keras").exists()
        assert (tmp_path / "digits" / "1" / "saved_model.pb").exists()
        assert list(tmp_path.glob("logs/train/*tfevents*"))
        assert list(tmp_path.glob("logs/validation/*tfevents*"))


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

"""How the package hangs together: imports point one way, files are short, public names exist, TensorFlow waits."""

import ast
import functools
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import tfvae

ROOT = Path(tfvae.__file__).parent
ORDER = (
    "tables",
    "data",
    "networks",
    "flows",
    "losses",
    "layers",
    "priors",
    "estimators",
    "execution",
    "models",
    "callbacks",
    "evaluation",
    "recipes",
    "export",
    "parts",
    "training",
    "sklearn",
    "sweeps",
    "serving",
    "papers",
    "cli",
)
STRANGERS = {"callbacks", "evaluation", "export"}
HEAVY = (
    "tensorflow",
    "keras",
    "tensorflow_probability",
    "tf_keras",
    "sklearn",
    "matplotlib",
    "tensorflow_datasets",
    "pandas",
)

PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
MODULES = sorted(ROOT.rglob("*.py"))


def in_fresh_python(code):
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@functools.cache
def imported_names(path):
    """Every name of tfvae that a file imports, anywhere in it, as (dotted name, line)."""
    return tuple(_imported_names(path))


def _imported_names(path):
    package = ["tfvae", *path.relative_to(ROOT).with_suffix("").parts]
    package = package[:-1]  # the package that holds the file, also where the file is an __init__
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((f"{module}.{alias.name}", node.lineno) for alias in node.names)


def parts_imported(path):
    """The packages and top-level files of tfvae that a file imports, as (name, line)."""
    for name, line in imported_names(path):
        parts = name.split(".")
        if parts[0] == "tfvae" and len(parts) > 1:
            yield parts[1], line


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    parts = path.relative_to(ROOT).parts
    own = parts[0] if len(parts) > 1 else None
    for imported, line in parts_imported(path):
        where = f"tfvae/{'/'.join(parts)}:{line} imports tfvae.{imported}"
        is_top_file = (ROOT / f"{imported}.py").exists()
        if path == ROOT / "__init__.py":
            continue  # it may name every package: it imports them when they are asked for
        if own is None:
            assert is_top_file or imported == "__version__", f"{where}: a file at the top imports no package"
        elif imported not in ORDER:
            assert is_top_file or imported == "__version__", f"{where}, which has no place in ORDER"
        elif imported != own:
            assert ORDER.index(imported) < ORDER.index(own), f"{where}, which comes later in ORDER"
            assert not {imported, own} <= STRANGERS, f"{where}: these packages do not know each other"


def test_every_package_has_its_number():
    assert set(PACKAGES) <= set(ORDER)


def file_of(name):
    """The file of a dotted name: that of a module, of a package, or of the module that has the name."""
    for parts in (name.split("."), name.split(".")[:-1]):
        path = ROOT.parent.joinpath(*parts)
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if parts and file.is_file():
                return file
    return None


def files_imported():
    """The files of tfvae that each file imports, also within functions and for types alone."""
    return {
        path: {file_of(name) for name, _ in imported_names(path) if name.split(".")[0] == "tfvae"} - {None, path}
        for path in MODULES
    }


def circle(imported):
    """A list of files, each of which imports the next and the last the first; empty if there is none."""
    done = set()

    def walk(path, above):
        if path in above:
            return above[above.index(path) :]
        if path in done:
            return []
        found = next(filter(None, (walk(other, [*above, path]) for other in sorted(imported[path]))), [])
        done.add(path)
        return found

    return next(filter(None, (walk(path, []) for path in sorted(imported))), [])


def test_no_files_import_each_other_in_a_circle():
    assert [str(path.relative_to(ROOT)) for path in circle(files_imported())] == []


def test_a_circle_is_found():
    imported = files_imported()
    split, batches = ROOT / "data/split.py", ROOT / "data/array_batches.py"
    assert batches in imported[split]  # within a function
    assert ROOT / "data/noise.py" in imported[split]  # from tfvae.data import noise
    assert set(circle(imported | {batches: imported[batches] | {split}})) >= {split, batches}


def test_files_stay_short():
    too_long = {str(path.relative_to(ROOT)): n for path in MODULES if (n := len(path.read_text().splitlines())) > 300}
    assert too_long == {}


def test_the_walk_sees_imports():
    assert {"layers", "estimators", "priors", "typing"} <= {name for name, _ in parts_imported(ROOT / "models/vae.py")}


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_exist_and_are_listed(package):
    module = importlib.import_module(f"tfvae.{package}")
    names = module.__all__
    assert len(names) == len(set(names))
    assert list(names) == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    for name in names:
        assert not name.startswith("_")
        assert getattr(module, name) is not None
        assert getattr(module, name).__doc__ or not callable(getattr(module, name)), f"{name} has no docstring"


def test_top_level_names():
    assert set(PACKAGES) - {"cli"} <= set(tfvae.__all__)
    for name in tfvae.__all__:
        if name in PACKAGES or name not in ORDER:
            assert getattr(tfvae, name) is not None
    assert tfvae.load_model is tfvae.models.load_model
    assert set(tfvae.__all__) == set(dir(tfvae))
    with pytest.raises(AttributeError, match="no_such_name"):
        tfvae.no_such_name  # noqa: B018


def test_importing_tfvae_imports_nothing_heavy():
    loaded = in_fresh_python(
        "import sys, tfvae, tfvae.tables, tfvae.typing; tfvae.__version__; dir(tfvae); print(sorted(sys.modules))"
    )
    loaded = set(ast.literal_eval(loaded))
    assert "tfvae" in loaded
    assert not loaded.intersection(HEAVY)


def test_keras_is_told_to_use_tensorflow():
    assert (
        in_fresh_python(
            "import os; os.environ.pop('KERAS_BACKEND', None); import tfvae; print(os.environ['KERAS_BACKEND'])"
        )
        == "tensorflow"
    )


# As if: the other backends themselves need not be installed here; what is asked first imports nothing else.
TORCH = "keras.backend.backend = lambda: 'torch'; import tfvae; tfvae.layers"
BARE_KERAS = "import sys, types; keras = types.SimpleNamespace(backend=types.SimpleNamespace())"


@pytest.mark.parametrize(
    "code",
    [
        f"{BARE_KERAS}; sys.modules['keras'] = keras; {TORCH}",
        pytest.param(f"import keras; {TORCH}", marks=pytest.mark.slow),
    ],
    ids=["bare", "whole"],
)
def test_another_keras_backend_is_one_clear_error(code):
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.returncode != 0
    assert "KERAS_BACKEND=tensorflow" in run.stderr.splitlines()[-1]
    assert "torch" in run.stderr.splitlines()[-1]


def test_tfvae_brings_no_tf_keras_object_to_its_users():
    """TFP wants tf_keras installed; the layers, models and priors are Keras 3's."""
    import keras

    for cls in (tfvae.models.VAE, tfvae.layers.DistributionLayer, tfvae.priors.Prior):
        assert issubclass(cls, keras.layers.Layer)
        assert not any(base.__module__.startswith("tf_keras") for base in cls.__mro__)

"""Parts of Keras, TensorFlow and TFP that few programs use are imported at their first use, and are then as always."""

import importlib
import pickle
import subprocess
import sys
import threading

import pytest

from tfvae import _late_imports

PACKAGE = {
    "__init__.py": "from some_package import late",
    "late/__init__.py": """import time
time.sleep(0.05)
from some_package.late.inner import VALUE, Thing
__all__ = ["VALUE", "Thing"]
""",
    "late/inner.py": "class Thing: pass\nVALUE = Thing()",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    for name, text in PACKAGE.items():
        path = tmp_path / "some_package" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(_late_imports, "LATE", {"some_package.late"})
    monkeypatch.setattr(sys, "meta_path", [_late_imports.LateFinder(), *sys.meta_path])
    yield importlib.import_module("some_package")
    for name in [name for name in sys.modules if name.startswith("some_package")]:
        del sys.modules[name]


def is_executed():
    return "some_package.late.inner" in sys.modules


def test_a_part_is_imported_when_an_attribute_is_read(package):
    late = package.late
    assert sys.modules["some_package.late"] is late
    assert not is_executed()
    assert isinstance(late.VALUE, late.Thing)
    assert is_executed()
    assert "VALUE" in dir(late)
    assert late.__spec__.loader is late.__loader__
    with pytest.raises(AttributeError, match="has no attribute 'other'"):
        late.other  # noqa: B018


def test_names_and_stars_import_it(package):
    scope = {}
    exec("from some_package.late import *", scope)
    assert {"VALUE", "Thing"} <= set(scope)
    assert type(pickle.loads(pickle.dumps(scope["VALUE"]))) is scope["Thing"]


def test_names_are_listed(package):
    assert {"VALUE", "Thing"} <= set(dir(package.late))


def test_a_submodule_is_imported_alone(package):
    from some_package.late.inner import VALUE

    assert package.late.VALUE is VALUE


def test_an_imported_submodule_is_found_without_the_part(package):
    inner = importlib.import_module("some_package.late.inner")
    from some_package.late import inner as found

    assert found is inner
    assert "VALUE" not in vars(package.late)
    assert package.late.VALUE is inner.VALUE


def test_threads_wait_for_each_other(package):
    found = []
    start = threading.Barrier(8)

    def read():
        start.wait()
        found.append(package.late.VALUE)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_an_error_is_raised_where_the_attribute_is_read(package, tmp_path):
    (tmp_path / "some_package/late/inner.py").write_text("raise ImportError('no such library')")
    with pytest.raises(ImportError, match="no such library"):
        package.late.VALUE  # noqa: B018


def test_the_parts_of_keras_are_as_always():
    import keras

    assert keras.visualization.plot_image_gallery.__module__ == "keras.src.visualization.plot_image_gallery"
    assert pickle.loads(pickle.dumps(keras.wrappers.SKLearnClassifier)) is keras.wrappers.SKLearnClassifier


def test_the_parts_of_tensorflow_and_tfp_are_as_always():
    import tensorflow as tf
    import tensorflow_probability as tfp

    assert tf.lite.Optimize is tf.compat.v2.lite.Optimize is tf.compat.v1.lite.Optimize
    assert tfp.experimental.tangent_spaces.FullSpace.__module__.endswith("tangent_spaces.spaces")
    assert tfp.experimental.nn.Sequential.__module__.startswith("tensorflow_probability.python.experimental.nn")


def test_one_finder_is_installed(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [])
    _late_imports.install()
    _late_imports.install()
    assert len(sys.meta_path) == 1


def test_dir_can_leave_a_part_unimported(package):
    with _late_imports.unforced():
        dir(package.late)
        assert "VALUE" not in vars(package.late)
    assert "VALUE" in dir(package.late)
    assert "VALUE" in vars(package.late)


def test_the_package_tensorflow_lite_does_not_replace_the_part():
    """Executing the part imports this package. Python then sets it as the attribute of TensorFlow."""
    code = """import tfvae.layers, tensorflow as tf
tf.lite.Optimize
import tensorflow.lite.python.lite
print(tf.lite.Optimize.DEFAULT.name)"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.stdout == "DEFAULT\n", run.stderr


@pytest.mark.slow
def test_programs_start_without_them():
    code = """import sys, tfvae, numpy as np, keras
parts = "sklearn", "matplotlib", "scipy.stats", "setuptools", "tensorflow_probability.python.mcmc"
encoder = keras.Sequential([keras.layers.Dense(4), tfvae.layers.MultivariateNormalDiag(2)])
decoder = keras.Sequential([keras.layers.Dense(3), tfvae.layers.IndependentBernoulli((3,))])
vae = tfvae.models.VAE(encoder, decoder)
vae.compile("adam")
vae.fit(np.zeros([4, 3], "float32"), verbose=0)
print([name for name in parts if name in sys.modules])
keras.wrappers.SKLearnClassifier, keras.visualization.plot_image_gallery
print([name for name in parts[:2] if name in sys.modules])"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.stdout.split("\n")[:2] == ["[]", "['sklearn', 'matplotlib']"], run.stderr


@pytest.mark.slow
def test_keras_may_be_imported_first():
    code = """import keras, sys, tfvae.models
import tensorflow_probability as tfp
print("tensorflow_probability.python.mcmc" in sys.modules)
print("DenseFlipout" in dir(tfp.layers), tfp.layers.DenseFlipout.__name__)"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.stdout.split("\n")[:2] == ["False", "True DenseFlipout"], run.stderr

# Sourced by each finding. `prepare NAME==VERSION ...` makes a virtual environment of exactly these packages in a
# temporary folder that is removed at the end; `run` runs the Python program on its standard input in it.
# With FINDINGS_VENV=/path an environment that has exactly these versions is used instead, and left alone.

set -euo pipefail

FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
PINS=()

# The packages that most findings are about.
TENSORFLOW_STACK=(tensorflow==2.21.0 keras==3.15.1 tensorflow-probability==0.25.0 tf_keras==2.21.0 numpy==2.4.6)

prepare() {
    PINS=("$@")
    if [[ -n ${FINDINGS_VENV:-} ]]; then
        PYTHON=$FINDINGS_VENV/bin/python
    else
        "${FINDINGS_PYTHON:-python3}" -m venv "$FOLDER/venv"
        PYTHON=$FOLDER/venv/bin/python
        "$PYTHON" -m pip install --quiet --disable-pip-version-check "$@"
    fi
    cat >"$FOLDER/finding.py" <<'PY'
"""What each finding says: versions, what a reader would expect, what is seen."""

import importlib.metadata
import platform
import sys

_changed = []


def seen(expected, found, as_described):
    """Prints one observation; `as_described` tells whether it is still the one that the finding is about."""
    print(f"expected: {expected}\nseen:     {found}")
    if not as_described:
        _changed.append(found)


def done():
    """Ends with an error where something was not as described."""
    if _changed:
        sys.exit("This finding has CHANGED: look at what is seen, and correct or remove it.")
    print("As described.")


def _check(pins):
    print(f"Python {platform.python_version()}, " + ", ".join(pins))
    for pin in pins:
        name, version = pin.split("==")
        if importlib.metadata.version(name) != version:
            sys.exit(f"{name} is {importlib.metadata.version(name)} in this environment, and must be {version}.")
PY
    (cd "$FOLDER" && "$PYTHON" -c "import sys, finding; finding._check(sys.argv[1:])" "${PINS[@]}")
}

run() {
    cat >"$FOLDER/program.py"
    (
        cd "$FOLDER"
        export PYTHONPATH=$FOLDER KERAS_BACKEND=tensorflow
        export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=-1 TF_ENABLE_ONEDNN_OPTS=0
        "$PYTHON" -W ignore program.py 2> >(grep -v -e '^WARNING: All log messages' -e '^[IWE]0000' >&2)
    )
}

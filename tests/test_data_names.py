"""Settings are read without NumPy, with the names that the data have."""

import subprocess
import sys

from tfvae._data_names import DATA_SETS
from tfvae.data import known_names


def test_settings_need_no_numpy():
    code = (
        "import sys; from tfvae.training.config import RunConfig; RunConfig.from_dict({'data': {'name': 'x.csv'}}); "
        "print('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
    assert known_names() == DATA_SETS

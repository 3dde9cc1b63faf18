import subprocess
import sys

from ganbench.config import DATASETS
from ganbench.data.datasets import LOADERS


def test_every_configurable_data_set_has_a_loader():
    assert sorted(LOADERS) == sorted(DATASETS)


def test_data_is_fetched_and_read_without_torch():
    """Importing it costs every job two seconds."""
    code = "import sys, ganbench.data.fetch, ganbench.data.datasets; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"

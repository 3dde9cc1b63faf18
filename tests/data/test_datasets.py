import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from ganbench.catalogue import DATASETS, DatasetFacts
from ganbench.data.datasets import load
from ganbench.data.registry import file_paths
from ganbench.provenance import stage_modules

NOWHERE = Path("/nonexistent")
IN_PACKAGES = [name for name in DATASETS if not file_paths(name, NOWHERE)]


@pytest.mark.parametrize("facts", DATASETS.values(), ids=DATASETS)
def test_every_data_set_has_a_loader_that_the_digest_of_the_code_covers(facts: DatasetFacts):
    module, _, function = facts.loader.partition(":")
    assert callable(getattr(import_module(f"ganbench.data.{module}"), function))
    assert f"ganbench.data.{module}" in stage_modules("ganbench.stages.train")


@pytest.mark.parametrize("name", IN_PACKAGES)
def test_the_catalogue_says_what_is_loaded(name):
    dataset = load(name, NOWHERE)
    facts = DATASETS[name]
    assert dataset.name == name
    assert dataset.train.shape == (facts.images, *facts.shape)
    assert len(dataset.folds) == facts.folds


def test_data_is_fetched_and_read_without_torch():
    """Importing it costs every job two seconds."""
    code = "import sys, ganbench.data.fetch, ganbench.data.datasets; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"

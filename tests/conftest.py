"""Checks every shape and type that a signature of `ganbench` states, in tests only.

The hook never covers `ganbench_kernels`: it breaks `@triton.jit`.
"""

import pytest
from jaxtyping import install_import_hook
from workspace import HOSTILE, Workspace

# Imported before the hook, which cannot see the types that the command line imports late, nor
# pydantic's validators that return Self; neither module has tensors.
import ganbench.__main__
import ganbench.config  # noqa: F401

install_import_hook("ganbench", "type_checks.check")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A finished run of a suite of seconds; a test that changes it puts it back."""
    workspace = Workspace(tmp_path_factory.mktemp("finished") / HOSTILE)
    workspace.run()
    return workspace

"""Checks every shape and type that a signature of `ganbench` states, in tests only.

The hook never covers `ganbench_kernels`: it breaks `@triton.jit`.
"""

from jaxtyping import install_import_hook

# Imported before the hook, which cannot see the types that the command line imports late, nor
# pydantic's validators that return Self; neither module has tensors.
import ganbench.__main__
import ganbench.config  # noqa: F401

install_import_hook("ganbench", "type_checks.check")

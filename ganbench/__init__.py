"""The reproducible benchmark of "Generative Adversarial Nets" (Goodfellow et al. 2014).

What `ganbench.api` offers can be had from here: `ganbench.score(samples, "mnist")`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganbench.api import ScoreMetric, ScoreResult, load_generator, score, table, train
    from ganbench_kernels import parzen_log_likelihood

__version__ = "0.1.0"
__all__ = [
    "ScoreMetric",
    "ScoreResult",
    "load_generator",
    "parzen_log_likelihood",
    "score",
    "table",
    "train",
]


def __getattr__(name: str) -> Any:
    """Imports what is asked for: the package alone imports neither torch nor pandas."""
    if name not in __all__:
        raise AttributeError(f"module 'ganbench' has no attribute {name!r}")
    home = "ganbench_kernels" if name == "parzen_log_likelihood" else "ganbench.api"
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

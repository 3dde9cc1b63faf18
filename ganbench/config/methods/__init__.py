"""Settings of the methods that train no discriminator, by the name that a file's `method` gives."""

from ganbench.config.methods.base import Chains, Part, Recipe
from ganbench.config.methods.dbn import Dbn
from ganbench.config.methods.gmmn import Gmmn
from ganbench.config.methods.stacked_cae import StackedCae

# Adding a method: its settings here, its training in the module of this name in ganbench/methods/.
RECIPES: dict[str, type[Recipe]] = {"dbn": Dbn, "gmmn": Gmmn, "stacked_cae": StackedCae}

__all__ = ["RECIPES", "Chains", "Dbn", "Gmmn", "Part", "Recipe", "StackedCae"]

"""Settings of the methods of other papers, by the name that a file's `method` gives."""

from ganbench.config.methods.adversarial_autoencoder import AdversarialAutoencoder
from ganbench.config.methods.base import Chains, Part, Recipe
from ganbench.config.methods.dbn import Dbn
from ganbench.config.methods.deep_gsn import DeepGsn
from ganbench.config.methods.gmmn import Gmmn
from ganbench.config.methods.stacked_cae import StackedCae
from ganbench.config.methods.vae import Vae

# Adding a method: its settings here, its training in the module of this name in ganbench/methods/.
RECIPES: dict[str, type[Recipe]] = {
    "dbn": Dbn,
    "stacked_cae": StackedCae,
    "deep_gsn": DeepGsn,
    "gmmn": Gmmn,
    "vae": Vae,
    "adversarial_autoencoder": AdversarialAutoencoder,
}

__all__ = [
    "RECIPES",
    "AdversarialAutoencoder",
    "Chains",
    "Dbn",
    "DeepGsn",
    "Gmmn",
    "Part",
    "Recipe",
    "StackedCae",
    "Vae",
]

"""One update of both players of a dense GAN, in about twenty kernels that store no gradient."""

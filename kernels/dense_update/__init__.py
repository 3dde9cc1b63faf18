"""One update of both players of a dense GAN, in about twenty kernels that store no gradient."""

from collections.abc import Iterator

from ganbench_kernels.spec import Build, Spec


def _builds() -> Iterator[Build]:
    from ganbench_kernels.dense_update.builds import builds

    yield from builds()


# No public op: `ganbench.training.fused.dense` launches it. Its settings were tuned one
# architecture at a time, so that `tuned/*.json` has them all.
SPEC = Spec("dense_update", builds=_builds)

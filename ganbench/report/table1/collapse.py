"""The seeds whose generator ended as a few images, for the notes of Table 1."""

from ganbench.records import Metric
from ganbench.report.collect import ExperimentResults

# As `ganbench.evaluation.diversity` has them, which needs torch; a test compares.
COLLAPSED, REFERENCE = 0.25, "training_images"


def collapse_notes(results: ExperimentResults) -> list[str]:
    """Returns a line for each collapsed seed that finished, by its last epoch's share."""
    shares = {seed: _share(results, seed) for seed in results.seeds_with("ok")}
    return [
        f"{results.experiment.title}: seed {seed} collapsed ({share.value:.2f} of the pairs of its "
        "samples are alike at the end; of the data's 0.01)"
        for seed, share in shares.items()
        if share is not None and share.value >= COLLAPSED
    ]


def _share(results: ExperimentResults, seed: int) -> Metric | None:
    """Against training images: by training itself, by the score where its record is older.

    Records that name no reference compared with validation images, and come last.
    """
    trained, measured = results.stages["train"][seed], results.sample_metrics
    scored = measured.metrics("collapse_share", source="model", seed=seed) if measured else []
    shares = (
        trained.metrics("collapse_share", reference=REFERENCE)
        or scored
        or trained.metrics("collapse_share")
    )
    return shares[0] if shares else None

"""The seeds whose generator ended as a few images, for the notes of Table 1."""

from ganbench.records import Metric
from ganbench.report.collect import ExperimentResults

# As `ganbench.evaluation.diversity` has it, which needs torch; a test compares.
COLLAPSED = 0.25


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
    """Measured at the end of training; by the score where the record of training is older."""
    shares = results.stages["train"][seed].metrics("collapse_share")
    if not shares and results.sample_metrics is not None:
        shares = results.sample_metrics.metrics("collapse_share", source="model", seed=seed)
    return shares[0] if shares else None

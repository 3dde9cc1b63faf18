"""Where the authors' stopping rule, which they never released, would have ended our MNIST runs.

A settings file of theirs (`adversarial/reboot_early.yaml`, 29 May 2014) monitors the negative
Parzen log-likelihood of the validation images and stops after 100 epochs without a value below 0.99
of the best. Where that value is negative, 0.99 of the best is *above* it: the rule ends a run only
when no value of 100 epochs came within one per cent of the best.
"""

import pandas as pd

from ganbench.report.collect import ExperimentResults

PATIENCE = 100  # epochs
SHARE = 0.99


def stopping_notes(results: ExperimentResults) -> list[str]:
    """Returns the sentence below Table 1 about the rule; none where a run is too short for it."""
    long_enough = results.experiment.epochs > PATIENCE
    if results.experiment.paper_column != "MNIST" or not long_enough:
        return []
    stops = []
    for seed in results.seeds_with("ok"):
        epoch = stopping_epoch(results.stages["train"][seed].history())
        stops.append(f"seed {seed} {f'after {epoch:,}' if epoch else 'never'}")
    if not stops:
        return []
    return [
        f"{results.experiment.title}, epochs after which the stopping rule that the authors "
        "tried and did not release (100 epochs without a validation likelihood within 1 % of the "
        f"best) would have stopped, by our monitoring: {', '.join(stops)}; no row uses it"
    ]


def stopping_epoch(history: pd.DataFrame) -> int | None:
    """Returns the epoch after which the rule stops a run, None if it never does.

    Args:
        history: history.csv of the run; epochs without monitoring say nothing.
    """
    curve = history.set_index("epoch")["validation_log_likelihood"].dropna()
    best, last_good = float("inf"), 0
    for epoch, value in zip(curve.index, -curve, strict=True):
        if value < SHARE * best:
            last_good = epoch
        best = min(best, value)
        if epoch - last_good >= PATIENCE:
            return int(epoch)
    return None

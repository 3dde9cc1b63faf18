"""What an epoch's row of the history holds: losses, norms and, when monitored, likelihood."""

from typing import TYPE_CHECKING

from ganbench import seeding
from ganbench.evaluation import diversity, parzen
from ganbench.training import schedules
from ganbench.training.fused.engine import Outcome
from ganbench.training.history import SUMS, Row

if TYPE_CHECKING:
    from ganbench.training.base import BaseRun
    from ganbench.training.loop import Run


def epoch_rows(run: "Run", outcome: Outcome) -> list[Row]:
    """Each seed's row of this epoch, likelihood left out."""
    counters = run.counters
    shared: Row = {
        "epoch": counters.epoch,
        "phase": counters.phase + 1,
        "updates": counters.updates,
        "learning_rate": schedules.learning_rate(
            run.settings, counters.phase_updates - 1, run.batches
        ),
        "momentum": schedules.momentum(run.settings, counters.phase_epoch),
    }
    # Losses and probabilities are means over the epoch; norms are those of its last update.
    means = (run.sums / run.batches).tolist()
    d_norms, g_norms = (
        [None] * len(means) if norms is None else norms.tolist()
        for norms in (outcome.discriminator_norm, outcome.generator_norm)
    )
    return [
        {
            **shared,
            **dict(zip(SUMS, mean, strict=True)),
            "discriminator_gradient_norm": d_norm,
            "generator_gradient_norm": g_norm,
            "validation_log_likelihood": None,
            "sigma": None,
            "collapse_share": None,
        }
        for mean, d_norm, g_norm in zip(means, d_norms, g_norms, strict=True)
    ]


def monitor(run: "BaseRun", s: int, row: Row) -> None:
    """Likelihood (D9) and collapse, from a stream that training never reads."""
    # A stream of its own, keyed by the epoch: monitoring changes nothing in the run.
    stream = seeding.generator(run.seeds[s], "monitoring", run.counters.epoch)
    samples = run.sample(run.protocol.samples, stream, s)
    choice = parzen.choose_bandwidth(run.validation, samples, run.protocol.sigmas)
    best = max(choice.log_likelihoods)
    share = diversity.collapse_share(samples, run.reference)
    row |= {"validation_log_likelihood": best, "sigma": choice.sigma, "collapse_share": share}
    progress = run.progress[s]
    # The best generator so far is kept in memory and in checkpoints, and written at the end.
    if progress.best_log_likelihood is None or best > progress.best_log_likelihood:
        progress.best_log_likelihood, progress.best_epoch = best, run.counters.epoch
        run.best[s] = {name: value.detach().clone() for name, value in run.weights(s).items()}

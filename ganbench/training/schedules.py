"""Learning rate and momentum over time, as the released code of 2014 sets them; annealing."""

import math

from ganbench.config import Training


def learning_rate(settings: Training, update: int, batches: int = 1) -> float:
    """Returns lr_t = max(lr_0 / decay^t, floor), or what annealing has made of it.

    Args:
        settings: gives lr_0, the decay, the floor and annealing.
        update: t, minibatches before this one in the phase (0 for the first).
        batches: minibatches of an epoch; only annealing asks for them.
    """
    start = _annealing_starts(settings, batches)
    scheduled = settings.learning_rate / settings.learning_rate_decay ** min(update, start)
    rate = max(scheduled, settings.learning_rate_floor)
    return (
        rate
        if update <= start
        else rate / _annealing_decay(settings, rate, batches) ** (update - start)
    )


def decay(settings: Training, epoch: int, batches: int) -> float:
    """Returns by what the rate is divided after each minibatch of an epoch.

    Args:
        settings: gives the decay and annealing.
        epoch: of the phase, 0 for the first.
        batches: minibatches of an epoch.
    """
    start = _annealing_starts(settings, batches)
    if epoch * batches < start:
        return settings.learning_rate_decay
    return _annealing_decay(settings, learning_rate(settings, int(start), batches), batches)


def _annealing_starts(settings: Training, batches: int) -> float:
    """The update before which the schedule of 2014 holds: all of them without annealing."""
    if settings.anneal_epochs is None:
        return math.inf
    return (settings.epochs - settings.anneal_epochs) * batches


def _annealing_decay(settings: Training, rate: float, batches: int) -> float:
    assert settings.anneal_epochs is not None
    assert settings.anneal_to is not None
    return (rate / settings.anneal_to) ** (1 / (settings.anneal_epochs * batches))


def momentum(settings: Training, epoch: int) -> float:
    """Returns m = m_0 + (m_1 - m_0) min(1, (e - 1) / (E - 1)).

    Args:
        settings: gives m_0, m_1 and E = momentum_epochs.
        epoch: e of the phase, 1 for the first.
    """
    progress = min(1.0, (epoch - 1) / (settings.momentum_epochs - 1))
    return settings.momentum_initial + progress * (
        settings.momentum_final - settings.momentum_initial
    )

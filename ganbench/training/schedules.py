"""Learning rate and momentum over time, as the released code of 2014 sets them."""

from ganbench.config import Training


def learning_rate(settings: Training, update: int) -> float:
    """Returns lr_t = max(lr_0 / decay^t, floor).

    Args:
        settings: gives lr_0, the decay and the floor.
        update: t, minibatches before this one in the phase (0 for the first).
    """
    return max(
        settings.learning_rate / settings.learning_rate_decay**update,
        settings.learning_rate_floor,
    )


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

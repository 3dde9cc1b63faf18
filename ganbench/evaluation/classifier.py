"""A small classifier of the data's classes, trained inside the suite: no downloaded network."""

import math

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from sklearn.neural_network import MLPClassifier
from torch import Tensor

HIDDEN = 128
BATCH = 200  # scikit-learn's own choice
UPDATES = 2000  # 98 % of MNIST's and of the digits' test images


class Classifier:
    """One hidden layer of rectified units, trained with Adam.

    Attributes:
        accuracy: share of the test images named rightly.
        test_histogram: number of test images named as each class.
    """

    def __init__(
        self,
        train: Float[Tensor, "n d"],
        labels: UInt8[np.ndarray, " n"],
        test: Float[Tensor, "m d"],
        test_labels: UInt8[np.ndarray, " m"],
    ) -> None:
        """Trains on the training images and counts on the test images.

        Args:
            train: training images.
            labels: their classes, from 0.
            test: images that trained nothing.
            test_labels: their classes.
        """
        # A fixed seed: the judge must be the same for every sampler and in every run.
        classes = np.arange(int(labels.max()) + 1)
        self._network = MLPClassifier((HIDDEN,), random_state=0)
        rows = train.cpu().numpy()
        # A fixed number of updates, so that small data sets train as long as large ones; epoch by
        # epoch, because `fit` would warn that it could go on.
        for _ in range(math.ceil(UPDATES * BATCH / len(train))):
            self._network.partial_fit(rows, labels.astype(np.int64), classes=classes)
        # Samples are compared with what the classifier makes of the test images, not with their
        # true classes: its mistakes are then on both sides.
        named = self.predict(test)
        self.accuracy = float((named.numpy() == test_labels).mean())
        self.test_histogram = np.bincount(named.numpy(), minlength=len(classes))

    def predict(self, images: Float[Tensor, "m d"]) -> Int64[Tensor, " m"]:
        """Returns the class of each image."""
        return torch.from_numpy(self._network.predict(images.cpu().numpy()))

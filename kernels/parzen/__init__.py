"""The log-likelihood under a Parzen window."""

"""What can go wrong that is not a bug; each class carries the exit code of the command line."""


class GanbenchError(Exception):
    """A problem its user can solve: one line that says where, what is wrong, and what to do."""

    exit_code = 2


class ConfigError(GanbenchError):
    """A configuration file is missing, malformed or does not fit the run it is used for."""


class DataError(GanbenchError):
    """A data file is there but is not what it should be."""


class DataNotAvailableError(DataError):
    """A data set can neither be found nor fetched."""

    exit_code = 3


class DivergenceError(GanbenchError):
    """Training produced a non-finite loss or weight."""

    exit_code = 4

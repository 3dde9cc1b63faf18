"""What can go wrong that is not a bug; each class carries the exit code of the command line."""

import re

# Of a message: a path may take 4,096 characters, and the remedy at the end must stay.
LONGEST, TAIL = 2_000, 500
# No name of a file is so long; of what is, a reader needs the start.
LONG_WORD, WORD = re.compile(r"[^\s/]{256,}"), 200


def printable(text: str) -> str:
    """Returns text with control characters and escape sequences spelled out, all on one line."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


class GanbenchError(Exception):
    """A problem its user can solve: one line that says where, what is wrong, and what to do."""

    exit_code = 2

    def __str__(self) -> str:
        """Returns the line, safe to print whatever a file or a name put into it."""
        text = LONG_WORD.sub(lambda word: f"{word[0][: WORD - 3]}...", super().__str__())
        if len(text) > LONGEST:
            text = f"{text[: LONGEST - TAIL]} ... {text[-TAIL:]}"
        return printable(text)


class ConfigError(GanbenchError):
    """A configuration file is missing, malformed or does not fit the run it is used for."""


class DataError(GanbenchError):
    """A data file is there but is not what it should be."""

    exit_code = 3


class DataNotAvailableError(DataError):
    """A data set can neither be found nor fetched."""


class DivergenceError(GanbenchError):
    """Training produced a non-finite loss or weight."""

    exit_code = 4

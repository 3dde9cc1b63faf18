"""What the names of a report's files end in, and where its captions lie; imports nothing."""

TABLE_FORMATS = ("csv", "md", "html", "tex")
FORMATS = ("svg", "png")  # of figures
CAPTIONS = "ganbench/report/captions"


def in_page(text: str) -> str:
    """Returns text for report.html, into whose script Snakemake writes it without escaping tags."""
    return text.replace("<", "\u2039")

"""What the names of a report's files end in, and where its captions lie; imports nothing."""

TABLE_FORMATS = ("csv", "md", "html", "tex")
FORMATS = ("svg", "png")  # of figures
CAPTIONS = "ganbench/report/captions"

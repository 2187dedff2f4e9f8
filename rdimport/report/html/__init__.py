"""report.html: the whole run on one self-contained page."""

"""One rule per file, each named after the upstream plugin it follows; profile.py lists them in order."""

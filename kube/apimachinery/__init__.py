"""The API's vocabulary, pure: no I/O, no process."""

"""The one path by which fit, test and the Python API measure an encoder."""

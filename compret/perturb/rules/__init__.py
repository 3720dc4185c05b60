"""One category a file; a new file with a class of a `category`, a `label` and `apply` is a new category."""

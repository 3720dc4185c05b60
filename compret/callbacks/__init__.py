"""Side effects of a run: export, monitors."""

"""Near-misses and paraphrases from anyone's text, by rules over a parse; they need the extra `perturb`."""

"""Near-misses and paraphrases from anyone's text: a parse, one rule a category, inflection. Needs the extra `perturb`."""

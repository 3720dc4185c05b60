"""`compret experiment`: a matrix of runs, of which what is missing is run, here or through SLURM. Imports no torch."""

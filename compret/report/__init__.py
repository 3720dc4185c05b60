"""results.json files to tables and figures; imports no torch."""

"""Figures of a report, one kind a file; each draws into matplotlib's figure what it is given, and reads nothing."""

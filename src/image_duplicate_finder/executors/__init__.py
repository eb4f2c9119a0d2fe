"""Executors: where the work of a scan runs, on the cores of this machine or of a cluster."""

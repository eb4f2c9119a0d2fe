"""Executors: where fingerprinting runs. Each is one ``map`` from files to results."""

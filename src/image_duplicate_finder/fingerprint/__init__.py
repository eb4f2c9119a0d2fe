"""Fingerprints: what is computed once from a picture and kept in the library."""

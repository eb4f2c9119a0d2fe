"""The Python API as programs and notebooks use it."""

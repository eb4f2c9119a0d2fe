"""Verification: whether two pictures show the same, proved by geometry and pixels."""

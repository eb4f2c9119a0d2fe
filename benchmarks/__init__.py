"""Seeded data sets with known truth, and runners that score this program and its peers on them."""

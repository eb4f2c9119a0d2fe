"""Programs that make what the package ships; the package itself never needs them."""

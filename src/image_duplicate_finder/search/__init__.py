"""Search: which pairs of pictures are worth verifying."""

"""Networks trained from scratch, and once more without the photos that they cannot tell."""

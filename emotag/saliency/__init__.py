"""Where a photo draws the eye: maps of saliency, and photos cropped or weighted by them."""

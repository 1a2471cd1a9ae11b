"""Features of photos that need no network: colour, edges, layout, saliency."""

"""Images: reading, writing, degrading, finding and batching them."""

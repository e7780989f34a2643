"""What the lessons share: checks, predictions, progress, proofs, style."""

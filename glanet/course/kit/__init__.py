"""Code that the lessons share: checks, predictions, progress, sameness proofs, style."""

"""What only the notebooks need: profiles, predictions, figures, widgets, and how they are built."""

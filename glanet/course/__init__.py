"""The course: what the notebooks share, the lessons, and how they are built."""

"""The graded exercises of the notebooks: the right functions, and the mistakes people make."""

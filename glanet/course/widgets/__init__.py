"""Interactive figures: sliders and menus around the functions of ``figures``."""

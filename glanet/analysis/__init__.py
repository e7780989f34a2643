"""What the notebooks look through: spectra, probes, filters, surgery. Nothing here draws."""

"""Instruments of the notebooks: spectra, probes, filters, surgery. Nothing here draws."""

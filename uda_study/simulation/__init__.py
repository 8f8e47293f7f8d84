"""Heads that are computed: anatomy, the signal equations of MR, the densities of CT, NIfTI."""

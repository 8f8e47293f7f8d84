"""Heads that are computed: anatomy, MR signal equations, CT densities, and files of them."""

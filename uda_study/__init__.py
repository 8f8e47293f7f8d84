"""Find out, fairly and at cluster scale, which domain adaptation segments your images best."""

__version__ = "0.1.0"

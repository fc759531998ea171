"""Churn risk and customer lifetime value: frames and numbers, and a command line."""

from importlib.metadata import version

__version__ = version("perennial")

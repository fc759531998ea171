"""Proofs on what a build left that no feature sees the future."""

from perennial.proofs.result import Difference, Result

__all__ = ["Difference", "Result"]

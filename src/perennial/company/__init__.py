"""A company to practise on, whose truth is known.

docs/demo-company.md tells how its customers behave. `generate` writes what its systems
would drop, and beside it, where no model reads, the truth.
"""

from perennial.company.behaviour import SHOCKS
from perennial.company.generate import SIZES, Size, generate

__all__ = ["SHOCKS", "SIZES", "Size", "generate"]

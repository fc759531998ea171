"""A connector for somebody's own tables: looked at, proposed, and written as SQL."""

from perennial.init.proposal import Proposal, look, places, propose
from perennial.init.tables import Place
from perennial.init.writing import check_name, doubts, files, told_score, write

__all__ = [
    "Place",
    "Proposal",
    "check_name",
    "doubts",
    "files",
    "look",
    "places",
    "propose",
    "told_score",
    "write",
]

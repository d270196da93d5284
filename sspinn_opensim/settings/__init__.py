"""TOML files as dataclasses: every key known, every value in its bounds, every file there."""

from sspinn_opensim.settings.bounds import Bounds, Count, NonNegative, OneOf, Positive, Seed
from sspinn_opensim.settings.tables import Location, load, parse, read_tables, refuse_unknown, replaced

__all__ = [
    "Bounds",
    "Count",
    "Location",
    "NonNegative",
    "OneOf",
    "Positive",
    "Seed",
    "load",
    "parse",
    "read_tables",
    "refuse_unknown",
    "replaced",
]

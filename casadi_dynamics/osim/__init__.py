"""Reading `.osim` files."""

from casadi_dynamics.osim.document import NEWEST_VERSION, is_older, whole_document
from casadi_dynamics.osim.included import inline
from casadi_dynamics.osim.plain_xml import parse_plain
from casadi_dynamics.osim.reader import read_model

__all__ = ["NEWEST_VERSION", "inline", "is_older", "parse_plain", "read_model", "whole_document"]

"""Reading `.osim` files."""

from casadi_dynamics.osim.document import is_older
from casadi_dynamics.osim.reader import read_model

__all__ = ["is_older", "read_model"]

"""Reading `.osim` files."""

from casadi_dynamics.osim.reader import read_model

__all__ = ["read_model"]

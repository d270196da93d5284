"""The command `sspinn`."""

from sspinn_opensim.cli.command import build_parser, main

__all__ = ["build_parser", "main"]

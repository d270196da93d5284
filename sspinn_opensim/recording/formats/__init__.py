"""Formats of recordings, one module each: what a vendor's file holds, in SI units, in the sensors' axes."""

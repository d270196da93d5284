"""Hostile inputs of all kinds, and a watch over what commands do with them."""

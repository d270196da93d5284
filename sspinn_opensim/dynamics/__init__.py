"""Dynamics of whole trials."""

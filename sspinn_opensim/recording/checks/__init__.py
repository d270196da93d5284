"""Checks of streams and recordings: what their signals say is odd or wrong."""

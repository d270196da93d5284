"""Pages and figures made from numbers."""

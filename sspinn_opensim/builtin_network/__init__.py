"""Network that is shipped: what it fits, and (`making`) how it was made, without any recording of anyone."""

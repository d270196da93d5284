"""How fast a network is trained, beside another checkout and beside what the machine can do."""

"""Reading: the format of files recognised, and their streams made a recording."""

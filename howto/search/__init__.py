"""Finding the moment: the library brought up to date, signals that rank, their fusion, and
results."""

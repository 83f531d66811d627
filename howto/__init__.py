"""howto: learn a text-video embedding from narrated how-to videos, and search with it.

Importing this package imports neither torch nor numpy: each stage loads what it needs when it runs.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"

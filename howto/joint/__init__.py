"""Joint models opened to be used: the library's runs and ready ones, through one interface."""

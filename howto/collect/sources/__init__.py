"""Where videos come from, one source to a module. They are found as plugins (howto.sources)."""

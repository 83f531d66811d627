"""A web page for one library, and the HTTP API behind it. Needs the extra `serve`."""

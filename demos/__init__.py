"""Stories that tell themselves on local Azure: `make demo-…`."""

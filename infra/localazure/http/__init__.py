"""The HTTP side of local Azure: one route table, thin handlers, one function that writes error envelopes."""

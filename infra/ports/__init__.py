"""The outside world behind small doors. Foreign exceptions stop here."""

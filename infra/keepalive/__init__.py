"""The watch over Azure's idle rule: the clock (idle), what to do (plan), doing it (tend), telling it (report)."""

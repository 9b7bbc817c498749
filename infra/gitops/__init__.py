"""Git as what is wanted: which stacks a change touches, what it would do, what has drifted."""

"""From data to a tuned model: checks before anything is uploaded. What is written is `stacks/training/` and the files."""

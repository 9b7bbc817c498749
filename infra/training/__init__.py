"""From data to a tuned model. What is wished for stands in `stacks/training/`, what came of it in records."""

"""A tuned model over many stacks: the plan, the order, the gates, and what makes it survive."""

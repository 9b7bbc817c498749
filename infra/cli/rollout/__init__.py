"""`hearth rollout`: a model over many stacks."""

"""What comes next in a rollout: pure, told of every event and the time."""

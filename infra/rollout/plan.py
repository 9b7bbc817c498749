"""What is wanted beside what stands, as waves of steps."""

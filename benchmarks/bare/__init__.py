"""What is measured against: the same calls or resources, without hearth."""

"""Clean-up of an account that trains, in the order that Azure asks for: deployments, models, files and jobs."""

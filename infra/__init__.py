"""How the wish gets to Azure and stays alive."""

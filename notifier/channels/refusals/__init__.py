"""Whose fault a refusal is: what all tables of refusals stand on."""

"""The endpoints for templates."""

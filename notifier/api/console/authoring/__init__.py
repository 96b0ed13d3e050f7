"""The pages of templates: what there is, an editor, and what becomes of what is written."""

"""Provider accounts: how they stand, and who may ask them now."""

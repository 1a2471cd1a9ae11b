"""A model and labelled photos become figures, each with its interval."""

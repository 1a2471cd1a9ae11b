"""Classifiers: recipes by name, and how they are saved."""

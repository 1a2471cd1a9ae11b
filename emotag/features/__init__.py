"""Photos become vectors."""

"""Photos: found, opened, decoded, oriented, refused, and made into pixels."""

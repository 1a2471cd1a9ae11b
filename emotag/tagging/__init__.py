"""A folder of photos becomes rows of tags, and the rows become files."""

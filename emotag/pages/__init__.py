"""What every HTML page needs: one file that loads nothing, thumbnails, escaping, the look."""

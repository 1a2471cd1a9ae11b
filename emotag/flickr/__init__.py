"""Photos collected from Flickr: search, download, licences, and what is known of each."""

"""Tests of the collection from Flickr."""

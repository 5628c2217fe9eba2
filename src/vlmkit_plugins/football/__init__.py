"""The football room: which events match video shows, from when to when."""

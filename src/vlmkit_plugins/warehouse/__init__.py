"""The warehouse room: which packing operation a short clip shows, when, and which comes next."""

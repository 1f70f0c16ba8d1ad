"""What a page of a large fleet is shown: an index in memory, and the part of it that each page asks for."""

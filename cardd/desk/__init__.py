"""One blocking operation on an open card each."""

"""Key services: they compute with the issuer's keys and never hand them out."""

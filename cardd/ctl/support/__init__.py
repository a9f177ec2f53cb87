"""What `cardctl bundle` collects for whoever helps from afar: what is known to hold no secret and no person."""

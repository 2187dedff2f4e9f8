"""When the next request may leave, alone or beside other runs with the same key."""

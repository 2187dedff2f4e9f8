"""Planning: decides which rows of the input still have to be sent."""

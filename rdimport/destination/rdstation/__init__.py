"""RD Station Marketing: its fields, and its requests and answers as bytes."""

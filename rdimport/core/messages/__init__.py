"""What a person reads: a sentence and a remedy for each code, in each language."""

"""What a command says to a person: lines of text, made from results and nothing else."""

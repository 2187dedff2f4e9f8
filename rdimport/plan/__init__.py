"""Which rows are left to send: valid rows + what earlier runs did -> pending rows."""

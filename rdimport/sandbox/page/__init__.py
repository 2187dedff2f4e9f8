"""The sandbox's page for people: rendered here, kept up to date by a small script."""

"""One file a format: what each yields is blocks with their heading, page or line."""

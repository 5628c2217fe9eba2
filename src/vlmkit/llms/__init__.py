"""Language models: tokens and a prompt to text, or to a loss."""

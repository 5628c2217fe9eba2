"""Evidence to typed results: JSON that is valid by construction, or says why it is not."""

"""The PurrSight room: what a cat's body and voice show, from pictures, sounds, films and words, and what that means."""

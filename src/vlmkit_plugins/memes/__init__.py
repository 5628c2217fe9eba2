"""The memes room: how probable it is that a meme is hateful, from its picture, its words, or both."""

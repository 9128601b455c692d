"""What people and language models say about single documents."""

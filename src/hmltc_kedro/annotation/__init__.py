"""What a language model or a person knows about single documents: who is asked, the question, what it is worth."""

"""Nine short texts about the seven classes of the diamond, and a description of each class."""

DESCRIPTIONS = [f"description {c}" for c in range(7)]

CORPUS = [
    "a leash for my dogs",
    "cushion and leash",
    "the cats love it",
    "cats and more cats",
    "garden tools, rusty",
    "garden tools again",
    "something else entirely",
    "dogs dogs dogs",
    "rake",
]

ODD_TEXTS = [
    "Whistling kettle 2 l. Boils in no time",
    "a rope toy for dogs",
    "",
    "Ünïcödé ☕ " * 3,
    "long text " * 200,
]
"""Texts as they come: short, long, empty, and of other letters."""

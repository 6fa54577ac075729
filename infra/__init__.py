"""The library behind the verbs: importable without invoke, one concept in one file."""

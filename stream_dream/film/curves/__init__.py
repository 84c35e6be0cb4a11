"""The picture of what changes over a film, its sound, beats and shots."""

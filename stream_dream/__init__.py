"""DeepDream for moving pictures: coherent, fast, with the sound kept."""
